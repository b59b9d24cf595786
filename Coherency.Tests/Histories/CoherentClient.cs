using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Versioning;
using Coherency.Guest;
using Coherency.Guest.Coherence;

namespace Coherency.Tests.Histories;

/// <summary>What is tested: everything goes through the guest's coherent cache.</summary>
internal sealed class CoherentClient : ITreeClient
{
    private readonly VirtioFsGuest _guest;
    private readonly VersionTableReader _table;
    private readonly CoherentCache _cache;

    /// <param name="withoutOpens">Read directories without opening them.</param>
    public CoherentClient(VirtioFsGuest guest, string tablePath, bool withoutOpens = true)
    {
        _guest = guest;
        _table = VersionTableReader.Open(tablePath);
        _cache = CoherentCache.Attach(guest.Fuse, _table, withoutOpens);
    }

    public NodeId? Lookup(NodeId parent, string name) => _cache.Lookup(parent, name);

    public fuse_attr GetAttributes(NodeId node) => _cache.GetAttributes(node);

    public string ReadLink(NodeId node) => _cache.ReadLink(node);

    public IReadOnlyList<string> List(NodeId directory) => _cache.List(directory);

    public NodeId CreateFile(NodeId parent, string name) => _cache.CreateFile(parent, name);

    public NodeId CreateDirectory(NodeId parent, string name) => _cache.CreateDirectory(parent, name);

    public NodeId CreateSymlink(NodeId parent, string name, string target) => _cache.CreateSymlink(parent, name, target);

    public void Link(NodeId node, NodeId parent, string name) => _cache.Link(node, parent, name);

    public void DeleteFile(NodeId parent, string name) => _cache.DeleteFile(parent, name);

    public void DeleteDirectory(NodeId parent, string name) => _cache.DeleteDirectory(parent, name);

    public void Rename(NodeId parent, string name, NodeId newParent, string newName, uint flags) =>
        _cache.Rename(parent, name, newParent, newName, flags);

    public void SetAttributes(NodeId node, in fuse_setattr_in wanted) => _cache.SetAttributes(node, wanted);

    public void Dispose()
    {
        _cache.Dispose();
        _table.Dispose();
        _guest.Dispose();
    }
}
