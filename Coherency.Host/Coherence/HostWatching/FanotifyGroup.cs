using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Coherency.Core.Linux;
using Coherency.Core.Versioning;
using Coherency.Host.Coherence.Changes;
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
        WatchFlags.FAN_CLASS_NOTIF | WatchFlags.FAN_REPORT_DFID_NAME_TARGET | WatchFlags.FAN_CLOEXEC | WatchFlags.FAN_NONBLOCK;

    private const ulong OfNames = WatchFlags.FAN_CREATE | WatchFlags.FAN_DELETE | WatchFlags.FAN_RENAME;

    /// <summary>What changes the inode that the event is about; of a new one nothing is cached.</summary>
    private const ulong OfInodes = WatchFlags.FAN_DELETE | WatchFlags.FAN_RENAME | WatchFlags.FAN_MODIFY | WatchFlags.FAN_ATTRIB;

    private readonly InodeTable _inodes;
    private readonly int _ownProcess = Environment.ProcessId;

    private FanotifyGroup(int fd, InodeTable inodes)
    {
        Fd = fd;
        _inodes = inodes;
    }

    public int Fd { get; }

    /// <summary>Null, with the reason, when this process may not watch file systems.</summary>
    public static FanotifyGroup? TryCreate(InodeTable inodes, out Errno errno)
    {
        int fd = Libc.FanotifyInit(GroupFlags, OpenFlags.O_RDONLY);
        errno = fd.ToErrno();
        return fd >= 0 ? new FanotifyGroup(fd, inodes) : null;
    }

    /// <summary>Watches the file system of a mount. Once it returns, no change is missed.</summary>
    /// <returns>ENODEV or EXDEV where the file system has no id of its own, EOPNOTSUPP where it has no handles.</returns>
    public Errno Mark(Mount mount)
    {
        const uint flags = WatchFlags.FAN_MARK_ADD | WatchFlags.FAN_MARK_FILESYSTEM;
        return Libc.FanotifyMark(Fd, flags, OfNames | OfInodes | WatchFlags.FAN_ONDIR, mount.Fd, null).ToErrno();
    }

    public bool TryDecode(ReadOnlySpan<byte> events, SlotBatch batch)
    {
        while (events.Length > 0)
        {
            fanotify_event_metadata head = MemoryMarshal.Read<fanotify_event_metadata>(events);
            if (head.vers != WatchFlags.FANOTIFY_METADATA_VERSION || (head.mask & WatchFlags.FAN_Q_OVERFLOW) != 0)
            {
                return false;
            }

            // What the daemon does itself has its own scope (MutationScope). The kernel names the process, not the thread.
            if (head.pid != _ownProcess && !TryCollect(head.mask, head.pid, events[head.metadata_len..(int)head.event_len], batch))
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
    private bool TryCollect(ulong mask, int processId, ReadOnlySpan<byte> records, SlotBatch batch)
    {
        Span<SlotKey> keys = stackalloc SlotKey[MutationScope.TouchedMax];
        int count = 0;
        ulong firstDirectory = 0;
        ReadOnlySpan<byte> firstName = default;
        ulong directory = 0;
        ulong inode = 0;
        while (records.Length > 0)
        {
            fanotify_event_info_fid info = MemoryMarshal.Read<fanotify_event_info_fid>(records);
            ReadOnlySpan<byte> handle = records[sizeof(fanotify_event_info_fid)..info.hdr.len];
            records = records[info.hdr.len..];
            if (!TryReadKey(info.fsid, handle, out ulong key, out ReadOnlySpan<byte> name))
            {
                return false;
            }

            if (info.hdr.info_type == WatchFlags.FAN_EVENT_INFO_TYPE_FID)
            {
                inode = key;
                continue;
            }

            // All other records that this group gets are of a directory: the one, or of a rename the old and the new one.
            directory = key;
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
            batch.Add(new HostChange(OperationOf(mask), processId, keys[..count]) { Directory = firstDirectory, Name = firstName });
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
