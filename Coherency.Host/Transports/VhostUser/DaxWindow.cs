using Coherency.Core.Linux;
using Coherency.Core.VhostUser;
using Coherency.Core.VhostUser.Abi;
using Coherency.Host.Faults;
using Coherency.Host.Server;
using Microsoft.Extensions.Logging;

namespace Coherency.Host.Transports.VhostUser;

/// <summary>
/// Shared memory region 0 of a device, by way of its front end (SHMEM_MAP and SHMEM_UNMAP of vhost-user.rst). QEMU 11.1 answers before
/// the guest sees what it was asked to map. Then it announces the mapping as memory, from the end of the change that shows it: only both
/// together are the answer. A front end that announces nothing is given nothing to map.
/// </summary>
internal sealed partial class DaxWindow : IDaxWindow, IDisposable
{
    /// <summary>VIRTIO 1.2, 5.11.6.4: "ID 0 ... the DAX Window".</summary>
    public const byte RegionId = 0;

    private const ulong Writable = 1;

    /// <summary>Longer than that no front end that works lets a guest wait: it is told an error.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly BackendChannel _channel;
    private readonly LentFiles _lent;
    private readonly LentFile _table;
    private readonly string _guest;
    private readonly ILogger _log;
    private readonly LogLimit _refusals = new();
    private readonly Timer _impatience;

    /// <summary>Guards what follows.</summary>
    private readonly Lock _lock = new();

    /// <summary>Those that are not done, in their order.</summary>
    private readonly List<Mapping> _pending = [];

    /// <summary>What the front end has, or will have, at each offset.</summary>
    private readonly Dictionary<long, LentFile> _mapped = [];
    private volatile bool _isUsable;

    /// <param name="bytes">Of the region.</param>
    /// <param name="table">A file of which it is known that the front end maps it: whether it announces that decides.</param>
    public DaxWindow(BackendChannel channel, LentFiles lent, LentFile table, long bytes, string guest, ILogger log)
    {
        _channel = channel;
        _lent = lent;
        _table = table;
        _guest = guest;
        _log = log;
        Bytes = bytes;
        _impatience = new Timer(_ => GuardedThread.Guard(GiveUpOld, fault => LogFault(_log, fault, _guest)));
        _lent.Announced += Note;
    }

    public long Bytes { get; }

    public long RangeBytes => SharedMemoryLayout.RangeBytes;

    public bool IsUsable => _isUsable;

    public void Map(long offset, int fd, long fileOffset, Action<Errno> mapped)
    {
        int own = Libc.Dup(fd);
        if (own < 0)
        {
            mapped(own.ToErrno());
            return;
        }

        Mapping mapping = new(offset, _lent.Add(own), fileOffset, mapped);
        vhost_user_mmap body = new()
        {
            shmid = RegionId,
            fd_offset = (ulong)fileOffset,
            shm_offset = (ulong)offset,
            len = (ulong)RangeBytes,
            flags = Writable,
        };
        lock (_lock)
        {
            _pending.Add(mapping);
            _mapped[offset] = mapping.File;
            _impatience.Change(Patience, Patience);
        }

        if (!_channel.TryAsk(VhostUserBackendRequest.ShmemMap, body, own, answer => Answer(mapping, answer)))
        {
            Answer(mapping, Errno.ENOTCONN);
        }
    }

    public void Unmap(long offset)
    {
        LentFile file;
        lock (_lock)
        {
            if (!_mapped.Remove(offset, out file))
            {
                return;
            }
        }

        vhost_user_mmap body = new() { shmid = RegionId, shm_offset = (ulong)offset, len = (ulong)RangeBytes };
        if (!_channel.TryAsk(VhostUserBackendRequest.ShmemUnmap, body, -1, _ => _lent.Remove(file)))
        {
            _lent.Remove(file);
        }
    }

    public void Dispose()
    {
        _lent.Announced -= Note;
        _impatience.Dispose();
    }

    private void Answer(Mapping mapping, Errno answer)
    {
        bool isDone;
        lock (_lock)
        {
            mapping.IsAnswered = true;
            isDone = (answer != Errno.None || mapping.IsAnnounced) && _pending.Remove(mapping);
            if (answer != Errno.None && _mapped.TryGetValue(mapping.Offset, out LentFile file) && file == mapping.File)
            {
                _mapped.Remove(mapping.Offset);
                _lent.Remove(file);
            }
        }

        if (answer is not (Errno.None or Errno.ENOTCONN) && _refusals.Allows(out long unsaid))
        {
            LogRefused(_log, _guest, answer, unsaid);
        }

        if (isDone)
        {
            mapping.Told(answer == Errno.None ? Errno.None : Errno.EIO);
        }
    }

    private void Note(LentFile file, long fileOffset)
    {
        if (file == _table)
        {
            _isUsable = true;
            return;
        }

        Mapping? done = null;
        lock (_lock)
        {
            Mapping? found = _pending.Find(m => m.File == file && m.FileOffset == fileOffset && !m.IsAnnounced);
            if (found is not null)
            {
                found.IsAnnounced = true;
                done = found.IsAnswered && _pending.Remove(found) ? found : null;
            }
        }

        done?.Told(Errno.None);
    }

    private void GiveUpOld()
    {
        Mapping[] old;
        lock (_lock)
        {
            old = [.. _pending.Where(mapping => mapping.HasWaited > Patience)];
            _pending.RemoveAll(mapping => old.Contains(mapping));
            _impatience.Change(_pending.Count > 0 ? Patience : Timeout.InfiniteTimeSpan, Patience);
        }

        foreach (Mapping mapping in old)
        {
            if (_refusals.Allows(out long unsaid))
            {
                LogSilent(_log, _guest, mapping.IsAnswered ? "announced" : "answered", unsaid);
            }

            // The client does not know of it, and may have another one there next.
            Unmap(mapping.Offset);
            mapping.Told(Errno.EIO);
        }
    }

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "{Guest}: the VMM has not mapped a part of a file, and answered {Answer}: the guest's program gets EIO, or SIGBUS " +
            "({Unsaid} more since the last line)")]
    private static partial void LogRefused(ILogger log, string guest, Errno answer, long unsaid);

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "{Guest}: the VMM has not {What} within ten seconds that it has mapped a part of a file: the guest's program gets " +
            "EIO, or SIGBUS ({Unsaid} more since the last line)")]
    private static partial void LogSilent(ILogger log, string guest, string what, long unsaid);

    [LoggerMessage(Level = LogLevel.Critical, Message = "{Guest}: its DAX window failed in a way that it must not")]
    private static partial void LogFault(ILogger log, Exception fault, string guest);

    private sealed class Mapping(long offset, LentFile file, long fileOffset, Action<Errno> told)
    {
        private readonly long _since = Environment.TickCount64;

        public long Offset { get; } = offset;

        public LentFile File { get; } = file;

        public long FileOffset { get; } = fileOffset;

        public Action<Errno> Told { get; } = told;

        public bool IsAnswered { get; set; }

        public bool IsAnnounced { get; set; }

        public TimeSpan HasWaited => TimeSpan.FromMilliseconds(Environment.TickCount64 - _since);
    }
}
