using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Core.Versioning;
using Coherency.Core.Versioning.Abi;
using Coherency.Host.Coherence.Changes;
using Coherency.Host.Coherence.Events;
using Coherency.Host.Passthrough;
using Coherency.Host.Paths;

namespace Coherency.Host.Coherence.HostWatching;

/// <summary>
/// Events of single inodes, by inotify(7): each inode that clients hold has a watch, so that an event is about exactly that
/// inode, whatever its names have become. A watch on a directory tells the names that change in it, too. Works without
/// privilege; fs.inotify.max_user_watches bounds how many inodes clients may hold before some are not watched.
/// <para>
/// <see cref="_lock"/> guards adding and removing; it is taken while a shard of the inode table is locked, never the other
/// way round. Decoding takes no lock.
/// </para>
/// </summary>
internal sealed unsafe class InotifyWatches : IEventSource, IDisposable
{
    private const uint OfNames = WatchFlags.IN_CREATE | WatchFlags.IN_DELETE | WatchFlags.IN_MOVED_FROM | WatchFlags.IN_MOVED_TO;
    private const uint OfInodes = WatchFlags.IN_MODIFY | WatchFlags.IN_ATTRIB | WatchFlags.IN_MOVE_SELF;

    /// <summary>A directory's own content is its names; the rest tells of files in it, for those who listen.</summary>
    private const uint OfDirectories = OfNames | OfInodes | WatchFlags.IN_CLOSE_WRITE;

    private const uint OfFiles = OfInodes | WatchFlags.IN_CLOSE_WRITE;

    private readonly Lock _lock = new();
    private readonly ConcurrentDictionary<ulong, int> _watchByNode = new();
    private readonly ConcurrentDictionary<int, Watched> _watched = new();

    private const uint CookiesOfHost = 1u << 31;

    private readonly PassthroughShare _share;
    private readonly ShareGroup _group;

    private InotifyWatches(int fd, PassthroughShare share)
    {
        Fd = fd;
        _share = share;
        _group = share.Group;
        _group.NotesNames = true;
    }

    /// <summary>An inode that is watched, and how many nodes it is: one for each mount that clients reach it through.</summary>
    private readonly record struct Watched(ulong Key, int Nodes);

    public int Fd { get; }

    /// <summary>Null, with the reason, when the user has too many instances.</summary>
    public static InotifyWatches? TryCreate(PassthroughShare share, out Errno errno)
    {
        int fd = Libc.InotifyInit(WatchFlags.IN_NONBLOCK | WatchFlags.IN_CLOEXEC);
        errno = fd.ToErrno();
        return fd >= 0 ? new InotifyWatches(fd, share) : null;
    }

    /// <summary>Watches an inode from now on; what happened to it before is not told.</summary>
    /// <param name="added">It was not watched before.</param>
    /// <returns>ENOSPC when there are too many watches, EACCES when the inode may not be read.</returns>
    public Errno Add(PassthroughShare share, in PinnedInode inode, out bool added)
    {
        added = false;
        if (_watchByNode.ContainsKey(inode.Node))
        {
            return Errno.None;
        }

        using PinnedDescriptor path = share.OpenPath(inode);
        if (path.Errno != Errno.None)
        {
            return path.Errno;
        }

        ulong key = inode.Key;
        ProcPath link = new(path.Fd);
        lock (_lock)
        {
            int watch = Libc.InotifyAddWatch(Fd, link.Pointer, inode.IsDirectory ? OfDirectories : OfFiles);
            if (watch < 0)
            {
                return watch.ToErrno();
            }

            added = _watchByNode.TryAdd(inode.Node, watch);
            if (added)
            {
                _watched[watch] = new Watched(key, _watched.GetValueOrDefault(watch).Nodes + 1);
            }

            return Errno.None;
        }
    }

    public void Remove(ulong node)
    {
        // Nobody adds it meanwhile: whoever does holds it.
        if (!_watchByNode.TryRemove(node, out int watch))
        {
            return;
        }

        lock (_lock)
        {
            Watched watched = _watched[watch];
            if (watched.Nodes > 1)
            {
                _watched[watch] = watched with { Nodes = watched.Nodes - 1 };
                return;
            }

            _watched.TryRemove(watch, out _);
            // Fails when the inode is gone, and its watch with it.
            _ = Libc.InotifyRemoveWatch(Fd, watch);
        }
    }

    public bool TryDecode(ReadOnlySpan<byte> events, SlotBatch batch)
    {
        while (events.Length > 0)
        {
            // SAFETY: as FanotifyGroup.TryDecode: a wrong length would throw.
            inotify_event head = MemoryMarshal.Read<inotify_event>(events);
            if ((head.mask & WatchFlags.IN_Q_OVERFLOW) != 0)
            {
                return false;
            }

            ReadOnlySpan<byte> name = events.Slice(sizeof(inotify_event), (int)head.len);
            if (_watched.TryGetValue(head.wd, out Watched watched))
            {
                Collect(head.mask, watched.Key, name, batch);
                if (batch.Events.AreWanted)
                {
                    Collect(head, watched.Key, name, batch.Events);
                }
            }

            events = events[(sizeof(inotify_event) + name.Length)..];
        }

        return true;
    }

    private static void Collect(uint mask, ulong key, ReadOnlySpan<byte> paddedName, SlotBatch batch)
    {
        if ((mask & OfNames) != 0)
        {
            ReadOnlySpan<byte> name = paddedName[..paddedName.IndexOf((byte)0)];
            ReadOnlySpan<SlotKey> keys = [SlotKey.Name(key, name), SlotKey.Inode(key)];
            batch.Add(new HostChange(OperationOf(mask), HostChange.UnknownProcess, keys) { Directory = key, Name = name });
        }
        else if ((mask & OfInodes) != 0 && paddedName.IsEmpty)
        {
            // With a name it is about a file in the directory, which has a watch of its own if clients hold it.
            batch.Add(new HostChange(OperationOf(mask), HostChange.UnknownProcess, [SlotKey.Inode(key)]));
        }
    }

    /// <summary>
    /// What clients hear of an event. The kernel does not tell who made the change: what a client has changed a moment ago it was, or
    /// the others were, told already.
    /// </summary>
    private void Collect(in inotify_event head, ulong key, ReadOnlySpan<byte> paddedName, HostEvents events)
    {
        int end = paddedName.IndexOf((byte)0);
        ReadOnlySpan<byte> name = end < 0 ? paddedName : paddedName[..end];
        FileEventKinds kinds = (FileEventKinds)head.mask & (FileEventKinds.All | FileEventKinds.IsDirectory);
        kinds |= (head.mask & WatchFlags.IN_MOVE_SELF) != 0 ? FileEventKinds.MovedTo : FileEventKinds.None;
        if (name.IsEmpty)
        {
            bool isOwn = _group.Touched.Contain(key);
            if (!isOwn && (kinds & FileEventKinds.All) != FileEventKinds.None)
            {
                events.Add(new FileEvent { Child = key, Kinds = kinds }, EventLook.Removed);
            }

            return;
        }

        ulong child = (head.mask & OfNames) == 0 ? FindChild(key, name) : 0;
        if (child != 0 ? _group.Touched.Contain(child) : _group.TouchedNames.Contain(SlotKey.Name(key, name).Value))
        {
            return;
        }

        // Its own cookie tells halves of one rename from others; the daemon's own are below.
        uint cookie = head.cookie == 0 ? 0 : head.cookie | CookiesOfHost;
        events.Add(new FileEvent { Directory = key, Name = name, Child = child, Kinds = kinds, Cookie = cookie });
    }

    /// <summary>Key of what a name in a watched directory stands for; 0 when there is none.</summary>
    private ulong FindChild(ulong directory, ReadOnlySpan<byte> name)
    {
        using PinnedInode inode = _share.Inodes.Pin(directory);
        using PinnedDescriptor path = _share.OpenPath(inode);
        byte* pointer = stackalloc byte[EntryName.BytesMax + 1];
        if (path.Errno != Errno.None || name.Length > EntryName.BytesMax)
        {
            return 0;
        }

        name.CopyTo(new Span<byte>(pointer, EntryName.BytesMax));
        pointer[name.Length] = 0;
        using NameTarget found = _share.Resolver.Identify(path.Fd, pointer);
        return found.Key;
    }

    private static ChangeOperation OperationOf(uint mask) => mask switch
    {
        _ when (mask & WatchFlags.IN_CREATE) != 0 => ChangeOperation.HostCreate,
        _ when (mask & WatchFlags.IN_DELETE) != 0 => ChangeOperation.HostDelete,
        _ when (mask & (WatchFlags.IN_MOVED_FROM | WatchFlags.IN_MOVED_TO | WatchFlags.IN_MOVE_SELF)) != 0 => ChangeOperation.HostRename,
        _ when (mask & WatchFlags.IN_MODIFY) != 0 => ChangeOperation.HostModify,
        _ => ChangeOperation.HostAttributes,
    };

    public void Dispose() => Libc.Close(Fd);
}
