using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Core.Versioning;
using Coherency.Core.Versioning.Abi;
using Coherency.Host.Coherence.Changes;
using Coherency.Host.Coherence.Events;
using Coherency.Host.Passthrough;

namespace Coherency.Host.Coherence.HostWatching;

/// <summary>
/// Events of whole file systems, by fanotify(7). Each event carries the handles of the directory and of the inode, and the
/// name: what keys are made of, without opening or resolving anything. It needs CAP_SYS_ADMIN and Linux 5.17.
/// <para>
/// Events of what no client holds are passed over: nobody has cached it. For a name that is the directory, which a client holds
/// before it asks for the name; for an inode itself, the table has it before its attributes are read for whoever is given it.
/// </para>
/// <para>
/// The queue is the bounded one (fs.fanotify.max_queued_events), although a larger one is allowed: whoever is 16,384 events
/// behind makes clients right sooner by one move of the epoch than by working through them, and a daemon that is stopped
/// must not fill the memory of the kernel.
/// </para>
/// </summary>
internal sealed unsafe class FanotifyGroup : IEventSource, IDisposable
{
    private const uint GroupFlags =
        WatchFlags.FAN_CLASS_NOTIF | WatchFlags.FAN_REPORT_TID | WatchFlags.FAN_REPORT_DFID_NAME_TARGET | WatchFlags.FAN_CLOEXEC
        | WatchFlags.FAN_NONBLOCK;

    private const ulong OfNames = WatchFlags.FAN_CREATE | WatchFlags.FAN_DELETE | WatchFlags.FAN_RENAME;

    /// <summary>What changes the inode that the event is about; of a new one nothing is cached.</summary>
    private const ulong OfInodes = WatchFlags.FAN_DELETE | WatchFlags.FAN_RENAME | WatchFlags.FAN_MODIFY | WatchFlags.FAN_ATTRIB;

    /// <summary>What may befall another inode than the one that a change of a client's own was to befall.</summary>
    private const ulong OfMistakenInodes = WatchFlags.FAN_DELETE | WatchFlags.FAN_RENAME | WatchFlags.FAN_ATTRIB;

    private readonly PassthroughShare _share;
    private readonly InodeTable _inodes;
    private readonly ShareGroup _group;

    private FanotifyGroup(int fd, PassthroughShare share)
    {
        Fd = fd;
        _share = share;
        _inodes = share.Inodes;
        _group = share.Group;
    }

    public int Fd { get; }

    /// <summary>Null, with the reason, when this process may not watch file systems.</summary>
    public static FanotifyGroup? TryCreate(PassthroughShare share, out Errno errno)
    {
        int fd = Libc.FanotifyInit(GroupFlags, OpenFlags.O_RDONLY);
        errno = fd.ToErrno();
        return fd >= 0 ? new FanotifyGroup(fd, share) : null;
    }

    /// <summary>Watches the file system of a mount. Once it returns, no change is missed.</summary>
    /// <returns>ENODEV or EXDEV where the file system has no id of its own, EOPNOTSUPP where it has no handles.</returns>
    public Errno Mark(Mount mount)
    {
        const uint flags = WatchFlags.FAN_MARK_ADD | WatchFlags.FAN_MARK_FILESYSTEM;
        return Libc.FanotifyMark(Fd, flags, OfNames | OfInodes | WatchFlags.FAN_ONDIR, mount.Fd, null).ToErrno();
    }

    /// <summary>Watches a file system for closes of files that were open for writing too, or no more.</summary>
    public void MarkCloses(int mountFd, bool areWanted)
    {
        uint flags = (areWanted ? WatchFlags.FAN_MARK_ADD : WatchFlags.FAN_MARK_REMOVE) | WatchFlags.FAN_MARK_FILESYSTEM;
        _ = Libc.FanotifyMark(Fd, flags, WatchFlags.FAN_CLOSE_WRITE, mountFd, null);
    }

    public bool TryDecode(ReadOnlySpan<byte> events, SlotBatch batch)
    {
        while (events.Length > 0)
        {
            // SAFETY (all of this type): spans of what read(2) has returned. The lengths in it are the kernel's; were
            // one wrong, reading or slicing would throw.
            fanotify_event_metadata head = MemoryMarshal.Read<fanotify_event_metadata>(events);
            if (head.vers != WatchFlags.FANOTIFY_METADATA_VERSION || (head.mask & WatchFlags.FAN_Q_OVERFLOW) != 0)
            {
                return false;
            }

            // What the group does itself has its own scope (MutationScope).
            ReadOnlySpan<byte> records = events[head.metadata_len..(int)head.event_len];
            bool isOwn = ServingThreads.Serves(head.pid, _group);
            if (isOwn ? !TryCollectMistaken(head.mask, head.pid, records, batch) : !TryCollect(head.mask, head.pid, records, batch))
            {
                return false;
            }

            events = events[(int)head.event_len..];
        }

        return true;
    }

    /// <summary>
    /// The slots of one event, whose mask may have several bits, when the kernel merged events about the same name. Link
    /// counts need nothing of their own: a FAN_ATTRIB goes with each, for the inode that a rename replaces too.
    /// </summary>
    private bool TryCollect(ulong mask, int threadId, ReadOnlySpan<byte> records, SlotBatch batch)
    {
        Span<SlotKey> keys = stackalloc SlotKey[MutationScope.TouchedMax];
        int count = 0;
        ulong firstDirectory = 0;
        ReadOnlySpan<byte> firstName = default;
        ulong directory = 0;
        ulong inode = 0;
        FileEvent place = default;
        FileEvent oldPlace = default;
        ulong fileSystemId = 0;
        ReadOnlySpan<byte> lastHandle = default;
        while (records.Length > 0)
        {
            fanotify_event_info_fid info = MemoryMarshal.Read<fanotify_event_info_fid>(records);
            ReadOnlySpan<byte> handle = records[sizeof(fanotify_event_info_fid)..info.hdr.len];
            records = records[info.hdr.len..];
            if (!TryReadKey(info.fsid, handle, out ulong key, out ReadOnlySpan<byte> name))
            {
                return false;
            }

            fileSystemId = info.fsid;
            lastHandle = handle;
            if (info.hdr.info_type == WatchFlags.FAN_EVENT_INFO_TYPE_FID)
            {
                inode = key;
                continue;
            }

            // All other records that this group gets are of a directory: the one, or of a rename the old and the new one.
            directory = key;
            oldPlace = place;
            place = new FileEvent { Directory = key, Name = name };
            if ((mask & OfNames) != 0 && _inodes.Knows(key))
            {
                if (count + 2 >= keys.Length)
                {
                    return false;
                }

                keys[count++] = SlotKey.Name(key, name);
                keys[count++] = SlotKey.Inode(key);
                if (count == 2)
                {
                    firstDirectory = key;
                    firstName = name;
                }
            }
        }

        // An event about a directory itself has no second record.
        ulong changed = inode != 0 ? inode : directory;
        if ((mask & OfInodes) != 0 && _inodes.Knows(changed))
        {
            keys[count++] = SlotKey.Inode(changed);
        }

        if (count > 0)
        {
            batch.Add(new HostChange(OperationOf(mask), threadId, keys[..count]) { Directory = firstDirectory, Name = firstName });
        }

        if (batch.Events.AreWanted)
        {
            Collect(mask, oldPlace, place with { Child = inode }, fileSystemId, lastHandle, batch.Events);
        }

        return true;
    }

    /// <summary>What clients hear of an event.</summary>
    /// <param name="oldPlace">Of a rename, where it was.</param>
    /// <param name="handle">The last of the event, as <see cref="TryReadKey"/> takes it.</param>
    private void Collect(
        ulong mask, in FileEvent oldPlace, in FileEvent place, ulong fileSystemId, ReadOnlySpan<byte> handle, HostEvents events)
    {
        FileEventKinds type = (FileEventKinds)mask & FileEventKinds.IsDirectory;
        FileEventKinds content = (FileEventKinds)mask & (FileEventKinds.Modify | FileEventKinds.Attributes | FileEventKinds.CloseWrite);
        bool concerns = _inodes.Knows(place.Directory) || _inodes.Knows(place.Child) || (
            oldPlace.Directory != 0 && _inodes.Knows(oldPlace.Directory));
        if ((mask & OfNames) == 0 && (place.Name.IsEmpty || place.Name.SequenceEqual("."u8)))
        {
            // Of an inode itself, whose name is not told: of a directory, or that it has another number of names.
            ulong key = place.Child != 0 ? place.Child : place.Directory;
            CollectUnnamed(key, content | type, fileSystemId, handle, events);
        }
        else if (concerns && (mask & WatchFlags.FAN_RENAME) != 0)
        {
            events.AddRename(
                oldPlace with { Child = place.Child, Kinds = FileEventKinds.MovedFrom | type },
                place with { Kinds = FileEventKinds.MovedTo | type });
        }
        else if (concerns && (mask & OfNames) == (WatchFlags.FAN_CREATE | WatchFlags.FAN_DELETE))
        {
            events.Add(place with { Kinds = FileEventKinds.Delete | type }, EventLook.Order);
        }
        else if (concerns)
        {
            // The kernel puts what befell one name together. It was made before anything else, and removed after.
            AddIf(FileEventKinds.Create, EventLook.None, place, events);
            if (content != FileEventKinds.None)
            {
                events.Add(place with { Kinds = content | type });
            }

            AddIf(FileEventKinds.Delete, EventLook.Removed, place, events);
        }

        void AddIf(FileEventKinds kind, EventLook look, in FileEvent place, HostEvents events)
        {
            if (((FileEventKinds)mask & kind) != FileEventKinds.None)
            {
                events.Add(place with { Kinds = kind | type }, look);
            }
        }
    }

    /// <param name="handle">Of a directory, as <see cref="TryReadKey"/> takes it.</param>
    private void CollectUnnamed(ulong key, FileEventKinds kinds, ulong fileSystemId, ReadOnlySpan<byte> handle, HostEvents events)
    {
        if (!kinds.HasFlag(FileEventKinds.IsDirectory))
        {
            if (_inodes.Knows(key))
            {
                events.Add(new FileEvent { Child = key, Kinds = kinds }, EventLook.Removed);
            }

            return;
        }

        // Clients may hold the directory that it is in, and not itself; it is there as long as its name is asked for.
        using PinnedInode inode = _inodes.Pin(key);
        using PinnedDescriptor path = inode.IsEmpty ? OpenByHandle(fileSystemId, handle) : _share.OpenPath(inode);
        Span<byte> name = stackalloc byte[EntryName.BytesMax];
        int length = 0;
        ulong directory = 0;
        bool isFound = path.Errno == Errno.None && PresentName.TryFind(_share, path.Fd, key, name, out length, out directory);
        FileEvent told = new() { Child = key, Kinds = kinds, Directory = isFound ? directory : 0, Name = name[..(isFound ? length : 0)] };
        events.Add(told, EventLook.Removed);
    }

    /// <param name="record">As <see cref="TryReadKey"/> takes it.</param>
    private PinnedDescriptor OpenByHandle(ulong fileSystemId, ReadOnlySpan<byte> record)
    {
        Mount? mount = _share.Mounts.All.FirstOrDefault(mount => mount.FileSystemId == fileSystemId && mount.UsesHandles);
        if (mount is null || !_share.Budget.TryTake())
        {
            return PinnedDescriptor.Failed(Errno.ENFILE);
        }

        int handleBytes = BinaryPrimitives.ReadInt32LittleEndian(record);
        FileIdentity identity = new() { Mount = mount.Index };
        identity.SetHandle(
            (ushort)BinaryPrimitives.ReadInt32LittleEndian(record[sizeof(int)..]), record.Slice(2 * sizeof(int), handleBytes));
        using PinnedMount opened = _share.Mounts.Pin(mount.Index);
        int fd = opened.Fd < 0 ? opened.Fd : Libc.OpenByHandleAt(opened.Fd, &identity.Handle, OpenFlags.O_PATH);
        if (fd >= 0)
        {
            return PinnedDescriptor.Temporary(fd, _share.Budget);
        }

        _share.Budget.Return();
        return PinnedDescriptor.Failed(fd.ToErrno());
    }

    /// <summary>
    /// The inode of an event that the group made, if it is not the one that its change was to befall: a program of the host
    /// exchanged it between.
    /// </summary>
    private bool TryCollectMistaken(ulong mask, int threadId, ReadOnlySpan<byte> records, SlotBatch batch)
    {
        if ((mask & OfMistakenInodes) == 0)
        {
            return true;
        }

        ulong changed = 0;
        while (records.Length > 0)
        {
            fanotify_event_info_fid info = MemoryMarshal.Read<fanotify_event_info_fid>(records);
            if (!TryReadKey(info.fsid, records[sizeof(fanotify_event_info_fid)..info.hdr.len], out ulong key, out _))
            {
                return false;
            }

            records = records[info.hdr.len..];
            // The inode comes last, if it is not the directory that the event is about.
            changed = key;
        }

        if (!_group.Touched.Contain(changed) && _inodes.Knows(changed))
        {
            batch.Add(new HostChange(OperationOf(mask), threadId, [SlotKey.Inode(changed)]));
            if (batch.Events.AreWanted)
            {
                batch.Events.Add(new FileEvent { Child = changed, Kinds = FileEventKinds.Attributes }, EventLook.Removed);
            }
        }

        return true;
    }

    /// <summary>What counts most, where the kernel merged several.</summary>
    private static ChangeOperation OperationOf(ulong mask) => mask switch
    {
        _ when (mask & WatchFlags.FAN_RENAME) != 0 => ChangeOperation.HostRename,
        _ when (mask & WatchFlags.FAN_CREATE) != 0 => ChangeOperation.HostCreate,
        _ when (mask & WatchFlags.FAN_DELETE) != 0 => ChangeOperation.HostDelete,
        _ when (mask & WatchFlags.FAN_MODIFY) != 0 => ChangeOperation.HostModify,
        _ => ChangeOperation.HostAttributes,
    };

    /// <param name="record">A struct file_handle, its bytes, and in some records a name.</param>
    /// <param name="name">Up to its NUL; empty where there is none.</param>
    private bool TryReadKey(ulong fileSystemId, ReadOnlySpan<byte> record, out ulong key, out ReadOnlySpan<byte> name)
    {
        int handleBytes = BinaryPrimitives.ReadInt32LittleEndian(record);
        int handleType = BinaryPrimitives.ReadInt32LittleEndian(record[sizeof(int)..]);
        ReadOnlySpan<byte> rest = record[(2 * sizeof(int))..];
        key = _inodes.KeyOf(fileSystemId, (ushort)handleType, rest[..handleBytes]);
        name = rest[handleBytes..];
        int end = name.IndexOf((byte)0);
        name = end < 0 ? name : name[..end];

        // The kernel could not make a handle: it is not known which inode it was.
        return handleBytes > 0;
    }

    public void Dispose() => Libc.Close(Fd);
}
