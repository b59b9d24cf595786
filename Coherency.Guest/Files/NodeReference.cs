using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Guest.Fuse;

namespace Coherency.Guest.Files;

/// <summary>A node that was looked up, with its attributes of that moment; gives its reference back when disposed.</summary>
public sealed class NodeReference : IDisposable
{
    private readonly FuseClient _fuse;
    private bool _disposed;

    internal NodeReference(FuseClient fuse, in fuse_entry_out entry)
    {
        _fuse = fuse;
        Node = new NodeId(entry.nodeid);
        Entry = entry;
    }

    public NodeId Node { get; }

    public fuse_entry_out Entry { get; }

    public GuestFileStatus Status => GuestFileStatus.From(Node, Entry.attr);

    public void Dispose()
    {
        // The root is never looked up, so there is no reference to give back.
        if (!_disposed && Node != NodeId.Root)
        {
            _fuse.Forget(Node, 1);
        }

        _disposed = true;
    }
}
