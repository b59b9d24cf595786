using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Host.Coherence;
using Coherency.Host.Coherence.Changes;
using Coherency.Host.Paths;
using Coherency.Host.Server;

namespace Coherency.Host.Passthrough;

// Files that the client sees in the memory of its device.
public sealed unsafe partial class PassthroughFileSystem
{
    private volatile DaxFiles? _dax;

    public bool TryShowDax(long minBytes)
    {
        _dax = new DaxFiles(minBytes);
        return true;
    }

    public Errno OpenForMapping(NodeId node, out int fd)
    {
        fd = -1;
        using PinnedInode inode = Pin(node);
        if (inode.IsEmpty || _dax?.Contains(inode.Node) != true)
        {
            return inode.IsEmpty ? Errno.ESTALE : Errno.EIO;
        }

        if (!_share.Budget.TryTake())
        {
            return Errno.EIO;
        }

        // The caller closes it at once, and what the VMM is given is counted by the ranges that there can be.
        int opened = _share.OpenReal(inode, OpenFlags.O_RDWR | OpenFlags.O_NONBLOCK);
        _share.Budget.Return();
        fd = Math.Max(opened, -1);
        // A program on the host that executes it, or has made it immutable since: to who touches the mapping, it cannot be read.
        return opened.ToErrno() is Errno.ETXTBSY or Errno.EPERM ? Errno.EIO : opened.ToErrno();
    }

    /// <summary>
    /// A store to a page that has no room on the disk would end the VMM. What is stored changes the file's time, once, by the daemon: the
    /// client leaves that to it.
    /// </summary>
    public Errno PrepareStores(NodeId node, long offset, long length)
    {
        const int KeepSize = 1;
        Errno errno = OpenForMapping(node, out int fd);
        if (errno != Errno.None)
        {
            return errno;
        }

        using PinnedInode inode = Pin(node);
        errno = inode.IsEmpty ? Errno.ESTALE : ReadAttributes(fd, out statx attributes);
        if (errno == Errno.None)
        {
            // The client's own view, too: it has cached a time that it does not know of having changed.
            using MutationScope scope = Mutate(ChangeOperation.Write, [TouchedObject.Inode(inode.Key)], tellsOwn: true);
            errno = Reserve(fd, offset, length);
            // SAFETY: utimensat(2) takes two times.
            timespec* times = stackalloc timespec[2];
            times[0] = new timespec { tv_nsec = StatFlags.UTIME_OMIT };
            times[1] = new timespec { tv_nsec = StatFlags.UTIME_NOW };
            errno = errno == Errno.None
                ? Libc.UTimensAt(fd, EmptyPath.Pointer, times, OpenFlags.AT_EMPTY_PATH).ToErrno()
                : errno;
        }

        _ = Libc.Close(fd);
        return errno;

        Errno Reserve(int file, long start, long bytes)
        {
            Errno size = ReadAttributes(file, out statx now);
            // Beyond the end nobody stores before the file has grown, which is a request.
            long end = Math.Min(start + bytes, (long)now.stx_size);
            return size != Errno.None || end <= start ? size : Libc.Fallocate(file, KeepSize, start, end - start).ToErrno();
        }
    }
}
