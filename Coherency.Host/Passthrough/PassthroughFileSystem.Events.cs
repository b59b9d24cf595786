using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Core.Versioning;
using Coherency.Core.Versioning.Abi;
using Coherency.Host.Coherence.Events;
using Coherency.Host.Server;

namespace Coherency.Host.Passthrough;

// What other clients hear of a change: after its slots have moved, while the locks of its names are held, and before the reply.
public sealed unsafe partial class PassthroughFileSystem
{
    private ShareEvents Events => _share.Group.Events;

    public bool IsRemoved(NodeId node)
    {
        using PinnedInode inode = Pin(node);
        using PinnedDescriptor path = _share.OpenPath(inode);
        if (path.Errno != Errno.None)
        {
            return path.Errno == Errno.ESTALE;
        }

        return ReadAttributes(path.Fd, out statx attributes) == Errno.None && attributes.stx_nlink == 0;
    }

    public bool HasName(NodeId directory, ReadOnlySpan<byte> name)
    {
        using PinnedInode inode = Pin(directory);
        using PinnedDescriptor path = _share.OpenPath(inode);
        byte* pointer = stackalloc byte[EntryName.BytesMax + 1];
        if (path.Errno != Errno.None || name.Length > EntryName.BytesMax)
        {
            return false;
        }

        name.CopyTo(new Span<byte>(pointer, EntryName.BytesMax));
        pointer[name.Length] = 0;
        return Libc.Statx(path.Fd, pointer, OpenFlags.AT_SYMLINK_NOFOLLOW | OpenFlags.AT_NO_AUTOMOUNT, 0, out _) >= 0;
    }

    /// <summary>As fsnotify_change() of Linux has it (include/linux/fsnotify.h); access times alone are not told.</summary>
    private static FileEventKinds KindsOf(FuseSetAttrValid valid)
    {
        const FuseSetAttrValid accessed = FuseSetAttrValid.Atime | FuseSetAttrValid.AtimeNow;
        const FuseSetAttrValid modified = FuseSetAttrValid.Mtime | FuseSetAttrValid.MtimeNow;
        FileEventKinds kinds = (valid & (Owner | FuseSetAttrValid.Mode)) != 0 ? FileEventKinds.Attributes : FileEventKinds.None;
        kinds |= (valid & FuseSetAttrValid.Size) != 0 ? FileEventKinds.Modify : FileEventKinds.None;
        if ((valid & modified) != 0)
        {
            kinds |= (valid & accessed) != 0 ? FileEventKinds.Attributes : FileEventKinds.Modify;
        }

        return kinds;
    }

    /// <summary>A name was made or removed.</summary>
    /// <param name="child">Key of what it stands or stood for; 0 for an inode that nobody knows yet.</param>
    private void RaiseName(FileEventKinds kind, scoped in PinnedInode directory, EntryName name, ulong child, bool isDirectory)
    {
        if (Events.AreWanted)
        {
            FileEvent happened = new() { Directory = directory.Key, Name = name.Bytes, Child = child, Kinds = kind | TypeOf(isDirectory) };
            Events.Raise(_view, happened, looksForRemoval: kind == FileEventKinds.Delete);
        }
    }

    /// <summary>The number of an inode's names has changed.</summary>
    private void RaiseLinks(ulong key, bool looksForRemoval = false)
    {
        if (Events.AreWanted)
        {
            Events.Raise(_view, new FileEvent { Child = key, Kinds = FileEventKinds.Attributes }, looksForRemoval);
        }
    }

    private void RaiseRename(
        scoped in NameIn source, scoped in NameIn target, scoped in NameTarget moved, scoped in NameTarget replaced, bool exchanges)
    {
        if (!Events.AreWanted)
        {
            return;
        }

        FileEventKinds type = TypeOf(IsDirectory(moved, target));
        FileEvent old = new() { Directory = source.Directory.Key, Name = source.Name.Bytes, Child = moved.Key, Kinds = type };
        FileEvent present = new() { Directory = target.Directory.Key, Name = target.Name.Bytes, Child = moved.Key, Kinds = type };
        uint cookie = Events.RaiseRename(_view, old, present);
        if (exchanges)
        {
            type = TypeOf(IsDirectory(replaced, source));
            Events.RaiseRename(_view, present with { Child = replaced.Key, Kinds = type }, old with { Child = replaced.Key, Kinds = type });
        }
        else if (replaced.Exists)
        {
            // A directory replaces only another.
            FileEvent lost = new() { Child = replaced.Key, Kinds = FileEventKinds.Attributes | type, Cookie = cookie };
            Events.Raise(_view, lost, looksForRemoval: true);
        }
    }

    /// <summary>An inode has changed, and no name.</summary>
    /// <param name="fd">Any descriptor of it.</param>
    private void RaiseContent(FileEventKinds kinds, ulong node, ulong key, int fd, bool isDirectory = false)
    {
        if (kinds == FileEventKinds.None || !Events.AreWanted)
        {
            return;
        }

        Span<byte> name = stackalloc byte[EntryName.BytesMax];
        int length = 0;
        ulong directory = 0;
        bool isCertain = _view?.Given?.TryFindName(new NodeId(node), name, out length, out directory) ?? false;
        ulong lastKnown = directory;
        if (!isCertain && !PresentName.TryFind(_share, fd, key, name, out length, out directory))
        {
            // Whoever watches the directory hears that something in it has changed.
            length = 0;
            directory = 0;
            if (lastKnown != 0)
            {
                Events.RaiseLost(_view, lastKnown);
            }
        }

        FileEvent happened = new() { Directory = directory, Name = name[..length], Child = key, Kinds = kinds | TypeOf(isDirectory) };
        Events.Raise(_view, happened);
    }

    /// <summary>A client without opens has changed a file, which it will close.</summary>
    private void ExpectClose(scoped in FileUse file)
    {
        if (file.Opened is null)
        {
            ExpectClose(file.Node);
        }
    }

    private void ExpectClose(ulong node)
    {
        if (_withoutOpens && Events.AreWanted)
        {
            Events.ExpectClose(this, node);
        }
    }

    bool IFileCloser.TryTellClosed(ulong node)
    {
        if (_keeps.IsSaidOpen(node))
        {
            return false;
        }

        using PinnedInode inode = Pin(new NodeId(node));
        using PinnedDescriptor path = _share.OpenPath(inode);
        if (path.Errno == Errno.None)
        {
            RaiseContent(FileEventKinds.CloseWrite, node, inode.Key, path.Fd);
        }

        return true;
    }

    private static FileEventKinds TypeOf(bool isDirectory) => isDirectory ? FileEventKinds.IsDirectory : FileEventKinds.None;

    /// <param name="place">The name that it has now.</param>
    private static bool IsDirectory(scoped in NameTarget target, scoped in NameIn place)
    {
        if (!target.Inode.IsEmpty)
        {
            return target.Inode.IsDirectory;
        }

        int result = Libc.Statx(
            place.DirectoryFd, place.Name.Pointer, OpenFlags.AT_SYMLINK_NOFOLLOW, StatFlags.STATX_BASIC_STATS, out statx attributes);
        return result >= 0 && (attributes.stx_mode & StatFlags.S_IFMT) == StatFlags.S_IFDIR;
    }
}
