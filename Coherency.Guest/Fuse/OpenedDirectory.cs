using Coherency.Core.Fuse;

namespace Coherency.Guest.Fuse;

/// <summary>A directory to be read, until disposed: opened, unless the session does without opens.</summary>
internal readonly struct OpenedDirectory : IDisposable
{
    private readonly FuseClient _fuse;
    private readonly NodeId _node;
    private readonly bool _isOpen;

    public OpenedDirectory(FuseClient fuse, NodeId node)
    {
        _fuse = fuse;
        _node = node;
        _isOpen = !fuse.Connection.WithoutOpens;
        Handle = _isOpen ? new FileHandle(fuse.OpenDir(node).fh) : default;
    }

    public FileHandle Handle { get; }

    public void Dispose()
    {
        if (_isOpen)
        {
            _fuse.ReleaseDir(_node, Handle);
        }
    }
}
