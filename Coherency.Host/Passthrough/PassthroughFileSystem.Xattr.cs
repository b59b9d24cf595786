using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Host.Coherence;
using Coherency.Host.Coherence.Changes;

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
        fixed (byte* buffer = value)
        {
            long result = Libc.GetXattr(path.Pointer, name.Pointer, buffer, (nuint)value.Length);
            length = (int)Math.Max(result, 0);
            return result.ToErrno();
        }
    }

    public Errno SetXattr(NodeId node, EntryName name, ReadOnlySpan<byte> value, int flags, bool killSgid)
    {
        using PinnedInode inode = Pin(node);
        using PinnedDescriptor descriptor = OpenForXattr(inode);
        if (descriptor.Errno != Errno.None)
        {
            return descriptor.Errno;
        }

        ProcPath path = new(descriptor.Fd);
        using MutationScope scope = Mutate(ChangeOperation.SetXattr, [TouchedObject.Inode(inode.Key)]);
        using SuidKillScope kill = ThreadCredentials.KillSuidGid(killSgid);
        fixed (byte* buffer = value)
        {
            return Libc.SetXattr(path.Pointer, name.Pointer, buffer, (nuint)value.Length, flags).ToErrno();
        }
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
        using MutationScope scope = Mutate(ChangeOperation.RemoveXattr, [TouchedObject.Inode(inode.Key)]);
        return Libc.RemoveXattr(path.Pointer, name.Pointer).ToErrno();
    }

    private PinnedDescriptor OpenForXattr(scoped in PinnedInode inode) =>
        _share.Options.Xattr ? _share.OpenPath(inode) : PinnedDescriptor.Failed(Errno.ENOSYS);
}
