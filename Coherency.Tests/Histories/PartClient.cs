using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;

namespace Coherency.Tests.Histories;

/// <summary>A guest whose share is one directory of the tree: it finds that directory in the root, and nothing else.</summary>
internal sealed class PartClient(ITreeClient client, string directory) : ITreeClient
{
    public NodeId? Lookup(NodeId parent, string name)
    {
        bool isOfTree = parent == NodeId.Root && (SharedTree.Directories.Contains(name) || SharedTree.YardNames.Contains(name));
        return !isOfTree ? client.Lookup(parent, name) : name == directory ? NodeId.Root : null;
    }

    public fuse_attr GetAttributes(NodeId node) => client.GetAttributes(node);

    public string ReadLink(NodeId node) => client.ReadLink(node);

    public IReadOnlyList<string> List(NodeId listed) => client.List(listed);

    public NodeId CreateFile(NodeId parent, string name) => client.CreateFile(parent, name);

    public NodeId CreateDirectory(NodeId parent, string name) => client.CreateDirectory(parent, name);

    public NodeId CreateSymlink(NodeId parent, string name, string target) => client.CreateSymlink(parent, name, target);

    public void Link(NodeId node, NodeId parent, string name) => client.Link(node, parent, name);

    public void DeleteFile(NodeId parent, string name) => client.DeleteFile(parent, name);

    public void DeleteDirectory(NodeId parent, string name) => client.DeleteDirectory(parent, name);

    public void Rename(NodeId parent, string name, NodeId newParent, string newName, uint flags) =>
        client.Rename(parent, name, newParent, newName, flags);

    public void SetAttributes(NodeId node, in fuse_setattr_in wanted) => client.SetAttributes(node, wanted);

    public void Dispose() => client.Dispose();
}
