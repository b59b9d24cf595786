using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Coherency.Core.Linux;
using Coherency.Core.Versioning;
using Coherency.Host.Coherence.Changes;
using Coherency.Host.Passthrough;

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

    /// <summary>A directory's own content is its names; IN_MODIFY would only tell of files in it.</summary>
    private const uint OfDirectories = (OfNames | OfInodes) & ~WatchFlags.IN_MODIFY;

    private readonly Lock _lock = new();
    private readonly ConcurrentDictionary<ulong, int> _watchByNode = new();
    private readonly ConcurrentDictionary<int, Watched> _watched = new();

    private InotifyWatches(int fd) => Fd = fd;

    /// <summary>An inode that is watched, and how many nodes it is: one for each mount that clients reach it through.</summary>
    private readonly record struct Watched(ulong Key, int Nodes);

    public int Fd { get; }

    /// <summary>Null, with the reason, when the user has too many instances.</summary>
    public static InotifyWatches? TryCreate(out Errno errno)
    {
        int fd = Libc.InotifyInit(WatchFlags.IN_NONBLOCK | WatchFlags.IN_CLOEXEC);
        errno = fd.ToErrno();
        return fd >= 0 ? new InotifyWatches(fd) : null;
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
            int watch = Libc.InotifyAddWatch(Fd, link.Pointer, inode.IsDirectory ? OfDirectories : OfInodes);
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
            inotify_event head = MemoryMarshal.Read<inotify_event>(events);
            if ((head.mask & WatchFlags.IN_Q_OVERFLOW) != 0)
            {
                return false;
            }

            ReadOnlySpan<byte> name = events.Slice(sizeof(inotify_event), (int)head.len);
            if (_watched.TryGetValue(head.wd, out Watched watched))
            {
                Collect(head.mask, watched.Key, name, batch);
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
