using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Core.Versioning.Abi;
using Coherency.Host.Coherence;
using Coherency.Host.Coherence.Changes;
using Coherency.Host.Paths;
using Coherency.Host.Server;

namespace Coherency.Host.Passthrough;

// Extended attributes, by the link in /proc: that works on what must not be opened, and on symlinks themselves.
public sealed unsafe partial class PassthroughFileSystem
{
    public Errno GetXattr(NodeId node, EntryName name, Span<byte> value, out int length)
    {
        length = 0;
        using PinnedInode inode = Pin(node);
        using PinnedDescriptor descriptor = OpenForXattr(inode);
        if (descriptor.Errno != Errno.None)
        {
            return descriptor.Errno;
        }

        ProcPath path = new(descriptor.Fd);
        // SAFETY: the kernel fills in no more than the length it is told; nothing when that is 0.
        fixed (byte* buffer = value)
        {
            long result = Libc.GetXattr(path.Pointer, name.Pointer, buffer, (nuint)value.Length);
            length = (int)Math.Max(result, 0);
            return result.ToErrno();
        }
    }

    public Errno SetXattr(in Caller caller, NodeId node, EntryName name, ReadOnlySpan<byte> value, int flags, bool killSgid)
    {
        using PinnedInode inode = Pin(node);
        using PinnedDescriptor descriptor = OpenForXattr(inode);
        if (descriptor.Errno != Errno.None)
        {
            return descriptor.Errno;
        }

        ProcPath path = new(descriptor.Fd);
        Errno errno;
        using (Mutate(ChangeOperation.SetXattr, [TouchedObject.Inode(inode.Key)]))
        {
            using SetIdScope setId = ThreadCredentials.ClearSetId(caller, killSgid);
            fixed (byte* buffer = value)
            {
                errno = setId.Errno == Errno.None
                    ? Libc.SetXattr(path.Pointer, name.Pointer, buffer, (nuint)value.Length, flags).ToErrno()
                    : setId.Errno;
            }
        }

        if (errno == Errno.None)
        {
            RaiseContent(FileEventKinds.Attributes, inode.Node, inode.Key, descriptor.Fd, inode.IsDirectory);
        }

        return errno;
    }

    public Errno ListXattr(NodeId node, Span<byte> list, out int length)
    {
        length = 0;
        using PinnedInode inode = Pin(node);
        using PinnedDescriptor descriptor = OpenForXattr(inode);
        if (descriptor.Errno != Errno.None)
        {
            return descriptor.Errno;
        }

        ProcPath path = new(descriptor.Fd);
        // SAFETY: as in GetXattr.
        fixed (byte* buffer = list)
        {
            long result = Libc.ListXattr(path.Pointer, buffer, (nuint)list.Length);
            length = (int)Math.Max(result, 0);
            return result.ToErrno();
        }
    }

    public Errno RemoveXattr(NodeId node, EntryName name)
    {
        using PinnedInode inode = Pin(node);
        using PinnedDescriptor descriptor = OpenForXattr(inode);
        if (descriptor.Errno != Errno.None)
        {
            return descriptor.Errno;
        }

        ProcPath path = new(descriptor.Fd);
        Errno errno;
        using (Mutate(ChangeOperation.RemoveXattr, [TouchedObject.Inode(inode.Key)]))
        {
            errno = Libc.RemoveXattr(path.Pointer, name.Pointer).ToErrno();
        }

        if (errno == Errno.None)
        {
            RaiseContent(FileEventKinds.Attributes, inode.Node, inode.Key, descriptor.Fd, inode.IsDirectory);
        }

        return errno;
    }

    private PinnedDescriptor OpenForXattr(scoped in PinnedInode inode) =>
        _share.Options.Xattr ? _share.OpenPath(inode) : PinnedDescriptor.Failed(Errno.ENOSYS);
}
