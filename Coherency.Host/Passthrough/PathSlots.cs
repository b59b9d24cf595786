using System.Text;
using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Core.Versioning;

namespace Coherency.Host.Passthrough;

/// <summary>From a path to the slots that govern what clients cache of it.</summary>
public static unsafe class PathSlots
{
    /// <summary>
    /// The slots of the name that the path ends in, of its directory, and of the inode that it leads to, if there is one; of the
    /// empty path, the root's. Names are looked up one at a time as a guest does it: no symbolic link is followed.
    /// </summary>
    /// <param name="path">Relative to the share.</param>
    /// <returns>ENOENT or ENOTDIR of a directory on the way; EINVAL for "." and ".."; ENAMETOOLONG.</returns>
    public static Errno Find(PassthroughShare share, string path, out SlotKey[] slots)
    {
        slots = [SlotKey.Inode(share.RootKey)];
        using PassthroughFileSystem session = share.OpenSession();
        NodeId node = NodeId.Root;
        ulong directory = share.RootKey;
        Errno errno = Errno.None;
        foreach (string name in path.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            if (errno != Errno.None)
            {
                return errno;
            }

            errno = Step(share, session, name, ref node, ref directory, out slots);
        }

        // A name that does not exist is cached too.
        return errno == Errno.ENOENT && slots.Length > 0 ? Errno.None : errno;
    }

    /// <param name="directory">Key of the node; of what the name leads to afterwards.</param>
    /// <param name="slots">Empty when the name is none.</param>
    private static Errno Step(
        PassthroughShare share, PassthroughFileSystem session, string name, ref NodeId node, ref ulong directory, out SlotKey[] slots)
    {
        slots = [];
        byte[] bytes = Encoding.UTF8.GetBytes(name + '\0');
        if (bytes.Length - 1 > EntryName.BytesMax)
        {
            return Errno.ENAMETOOLONG;
        }

        fixed (byte* pointer = bytes)
        {
            // SAFETY: the array is pinned while the name is used, and ends with the NUL that was put there.
            EntryName entryName = new(pointer, bytes.Length - 1);
            if (entryName.IsDotOrDotDot || entryName.Bytes.Contains((byte)0))
            {
                return Errno.EINVAL;
            }

            slots = [SlotKey.Name(directory, entryName.Bytes), SlotKey.Inode(directory)];
            Errno errno = session.Lookup(node, entryName, out Server.Entry entry);
            if (errno == Errno.None)
            {
                node = entry.Node;
                using PinnedInode inode = share.Inodes.Pin(node.Value);
                directory = inode.Key;
                slots = [.. slots, SlotKey.Inode(directory)];
            }

            return errno;
        }
    }
}
