using Coherency.Core.Linux;

namespace Coherency.Host.Passthrough;

/// <summary>
/// A descriptor of a file or directory for one request, good for reading or writing: the one of an open handle, or one that was
/// opened by node. <see cref="Errno"/> says why there is none.
/// </summary>
internal ref struct FileUse
{
    private readonly HandleUse _handle;
    private readonly PinnedDescriptor _descriptor;
    private PinnedInode _inode;

    /// <summary>Of an open handle; it may be empty when there is an error.</summary>
    public FileUse(HandleUse handle, Errno errno)
    {
        _handle = handle;
        Errno = errno;
        Fd = errno == Errno.None ? handle.File.Fd : -1;
    }

    /// <summary>Of an open handle, by another descriptor of the same file, which is taken over.</summary>
    public FileUse(HandleUse handle, PinnedDescriptor descriptor)
    {
        _handle = handle;
        _descriptor = descriptor;
        Errno = descriptor.Errno;
        Fd = descriptor.Fd;
    }

    /// <summary>Of an inode; both arguments are taken over.</summary>
    public FileUse(PinnedInode inode, PinnedDescriptor descriptor)
    {
        _inode = inode;
        _descriptor = descriptor;
        Errno = descriptor.Errno;
        Fd = descriptor.Fd;
    }

    public Errno Errno { get; }

    public int Fd { get; }

    /// <summary>The open handle; null when it was found by node.</summary>
    public readonly OpenFile? Opened => _handle.IsEmpty ? null : _handle.File;

    public readonly ulong Node => Opened?.Node ?? _inode.Node;

    public readonly ulong InodeKey => Opened?.InodeKey ?? _inode.Key;

    public readonly ushort Mount => Opened?.Mount ?? _inode.Mount;

    public void Dispose()
    {
        _handle.Dispose();
        _descriptor.Dispose();
        _inode.Dispose();
    }
}
