using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Guest.Fuse;

namespace Coherency.Tests.Histories;

/// <summary>A guest's way to a share, with or without a cache. Errors of the daemon are <see cref="FuseException"/>.</summary>
internal interface ITreeClient : IDisposable
{
    NodeId? Lookup(NodeId parent, string name);

    fuse_attr GetAttributes(NodeId node);

    string ReadLink(NodeId node);

    IReadOnlyList<string> List(NodeId directory);

    NodeId CreateFile(NodeId parent, string name);

    NodeId CreateDirectory(NodeId parent, string name);

    NodeId CreateSymlink(NodeId parent, string name, string target);

    void Link(NodeId node, NodeId parent, string name);

    void DeleteFile(NodeId parent, string name);

    void DeleteDirectory(NodeId parent, string name);

    void Rename(NodeId parent, string name, NodeId newParent, string newName, uint flags);

    void SetAttributes(NodeId node, in fuse_setattr_in wanted);
}
