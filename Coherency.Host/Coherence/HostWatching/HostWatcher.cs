using System.Diagnostics;
using Coherency.Core.Linux;
using Coherency.Core.Versioning;
using Coherency.Host.Coherence.Changes;
using Coherency.Host.Faults;
using Coherency.Host.Passthrough;
using Coherency.Host.Server;
using Coherency.Host.Server.Statistics;
using Microsoft.Extensions.Logging;

namespace Coherency.Host.Coherence.HostWatching;

/// <summary>
/// Notices what programs of the host change in a share beside the daemon, and passes the slots on from a thread of its own,
/// as soon as the kernel tells. Started before the share's first session is opened, disposed after the last one.
/// </summary>
public sealed unsafe partial class HostWatcher : IShareWatch, IDisposable
{
    /// <summary>The thread makes a turn at least this often, whether something happened or not.</summary>
    private const int TurnMs = 50;

    /// <summary>Twenty turns: longer is not a busy machine but a thread that is stuck.</summary>
    private const int AliveBoundMs = 20 * TurnMs;

    /// <summary>
    /// What the daemon does itself comes as events too, which nobody waits for. As long as there are no others, they are taken
    /// together instead of one by one: being woken for each would cost a change more than its slots do. A change of the host in
    /// such a time is noticed that much later. The rest begins with this, and doubles each time.
    /// </summary>
    private static readonly TimeSpan RestMin = TimeSpan.FromMicroseconds(100);

    private static readonly TimeSpan RestMax = TimeSpan.FromMicroseconds(800);

    /// <summary>No event has more: two names and three handles.</summary>
    private const int EventBytesLargest = 1024;

    private readonly PassthroughShare _share;
    private readonly IHostChanges _changes;
    private readonly ILogger _log;
    private readonly FanotifyGroup? _fanotify;
    private readonly InotifyWatches? _inotify;
    private readonly MountWatch _mounts;

    /// <summary>By the index of a mount: its file system has a fanotify mark.</summary>
    private readonly bool[] _isMarked = new bool[MountTable.MountsMax];

    private readonly Lock _stateLock = new();
    private readonly EventFd _stop = EventFd.Create();
    private readonly SlotBatch _batch;
    private readonly byte[] _events = new byte[SlotBatch.EventBytesMax];
    private readonly Thread _thread;
    private volatile WatchState _state;
    private long _timesLost;
    private volatile bool _stopping;
    private long _toldAt;
    private bool _leftBehind;
    private bool _onlyOwnEvents;
    private TimeSpan _rest = RestMin;
    private long _lastTurnMs = Environment.TickCount64;

    /// <summary>Watches from here on.</summary>
    /// <param name="best">Nothing better than this is tried.</param>
    public HostWatcher(PassthroughShare share, IHostChanges changes, ILogger log, WatchState best = WatchState.Fanotify)
    {
        _share = share;
        _changes = changes;
        _batch = new SlotBatch(changes, new HostEvents(share.Group.Events));
        _log = log;
        _state = best;
        Errno errno = Errno.None;
        _inotify = best >= WatchState.Inotify ? InotifyWatches.TryCreate(share, out errno) : null;
        _fanotify = best >= WatchState.Fanotify ? FanotifyGroup.TryCreate(share, out errno) : null;
        if (_fanotify is null)
        {
            Lower(WatchState.Inotify, "the event queue", errno);
        }

        _mounts = new MountWatch(share);
        share.SetWatch(this);
        share.Group.Events.Follow(SetEventsWanted);
        _thread = GuardedThread.Start("host-watcher", Run, Fail);
    }

    /// <summary>The share's directory, on the host.</summary>
    public string Directory => _share.Options.SharedDirectory;

    /// <summary>The worst of all that the share contains so far; it never becomes better again.</summary>
    public WatchState State => _state;

    /// <summary>
    /// From the moment that the thread learned that events are there, to the moment when the slots of what one read returned had
    /// moved; one duration for each read. When a read left events behind, the next one's counts from the same moment. Not in it:
    /// what the kernel needs to queue an event and to wake the thread, which no event tells, and the thread's rest after the
    /// daemon's own events (docs/version-table.md, "The gap", has measured that too).
    /// </summary>
    public DurationRecorder Delay { get; } = new();

    /// <summary>How often the kernel lost events, and everything that clients had cached was given up.</summary>
    public long TimesLost => Volatile.Read(ref _timesLost);

    /// <summary>The thread works. When it does not, nobody may believe that the table says all.</summary>
    public bool IsAlive => Environment.TickCount64 - Volatile.Read(ref _lastTurnMs) < AliveBoundMs;

    public void Dispose()
    {
        _share.Group.Events.Unfollow(SetEventsWanted);
        _share.SetWatch(null);
        _stopping = true;
        _stop.Signal();
        _thread.Join();
        _stop.Dispose();
        _fanotify?.Dispose();
        _inotify?.Dispose();
        _mounts.Dispose();
    }

    void IShareWatch.AddMount(Mount mount)
    {
        if (_fanotify is null)
        {
            return;
        }

        // Without handles the keys are made from attributes, which events do not carry.
        Errno errno = mount.UsesHandles ? _fanotify.Mark(mount) : Errno.EOPNOTSUPP;
        _isMarked[mount.Index] = errno == Errno.None;
        if (errno == Errno.None && _share.Group.Events.AreWanted)
        {
            _fanotify.MarkCloses(mount.Fd, areWanted: true);
        }

        if (errno != Errno.None)
        {
            Lower(WatchState.Inotify, "a mark on a file system", errno);
        }
    }

    void IShareWatch.AddInode(in PinnedInode inode)
    {
        if (_inotify is null || _isMarked[inode.Mount])
        {
            return;
        }

        Errno errno = _inotify.Add(_share, inode, out bool added);
        if (errno != Errno.None)
        {
            Lower(WatchState.None, "a watch on an inode", errno);
        }
        else if (added)
        {
            // The answer that the client is about to get may be older than the watch: this makes it ask again.
            ReadOnlySpan<SlotKey> key = [SlotKey.Inode(inode.Key)];
            _changes.Noticed(new HostChange(ChangeOperation.HostWatch, HostChange.UnknownProcess, key));
            _changes.Changed(key);
        }
    }

    void IShareWatch.RemoveInode(ulong node) => _inotify?.Remove(node);

    private void Run()
    {
        // It runs for microseconds at a time, and until it does guests are stale. Without the privilege it waits its turn
        // among all that want to run. A nice value would not do: it counts within a control group only.
        _ = Libc.SetRealtimePriority(1);
        while (!_stopping)
        {
            Volatile.Write(ref _lastTurnMs, Environment.TickCount64);
            Turn();
        }
    }

    /// <summary>That the thread is dead shows in <see cref="IsAlive"/>.</summary>
    private void Fail(Exception unexpected)
    {
        _state = WatchState.None;
        _changes.Lost();
        LogDead(_log, unexpected, _share.Options.SharedDirectory);
    }

    private void Turn()
    {
        if (_onlyOwnEvents)
        {
            Libc.Rest(_rest);
            _rest = _rest < RestMax ? _rest * 2 : RestMax;
        }
        else
        {
            _rest = RestMin;
        }

        _onlyOwnEvents = false;
        // poll(2) passes over a negative descriptor.
        // SAFETY: four places, of which four are polled and looked at.
        pollfd* waits = stackalloc pollfd[4]
        {
            new pollfd { fd = _fanotify?.Fd ?? -1, events = EventFlags.POLLIN },
            new pollfd { fd = _inotify?.Fd ?? -1, events = EventFlags.POLLIN },
            new pollfd { fd = _mounts.Fd, events = EventFlags.POLLPRI },
            new pollfd { fd = _stop.Fd, events = EventFlags.POLLIN },
        };
        if (Libc.Poll(waits, 4, TurnMs) <= 0)
        {
            return;
        }

        if (!_leftBehind)
        {
            _toldAt = Stopwatch.GetTimestamp();
        }

        _leftBehind = false;
        if (waits[0].revents != 0)
        {
            PassOn(_fanotify!);
        }

        if (waits[1].revents != 0)
        {
            PassOn(_inotify!);
        }

        if (waits[2].revents != 0 && _mounts.TakeChange())
        {
            LogMounts(_log, _share.Options.SharedDirectory);
            _changes.MountsChanged();
            _share.MountsChanged();
        }
    }

    /// <summary>What one read returns: the rest is there in the next turn.</summary>
    private void PassOn(IEventSource source)
    {
        long read;
        // SAFETY: the array has the EventBytesMax that are asked for.
        fixed (byte* events = _events)
        {
            read = Libc.Read(source.Fd, events, SlotBatch.EventBytesMax);
        }

        if (read.ToErrno() is Errno.EAGAIN or Errno.EINTR)
        {
            return;
        }

        LinuxException.Check(read, "reading events of the host");
        _leftBehind |= read > SlotBatch.EventBytesMax - EventBytesLargest;
        _batch.Clear();
        if (!source.TryDecode(_events.AsSpan(0, (int)read), _batch))
        {
            LogLost(_log, _share.Options.SharedDirectory);
            _changes.Lost();
            Interlocked.Increment(ref _timesLost);
        }
        else if (_batch.Slots.Length == 0 && _batch.Events.IsEmpty)
        {
            _onlyOwnEvents = !_leftBehind;
        }
        else
        {
            if (_batch.Slots.Length > 0)
            {
                _changes.Changed(_batch.Slots);
                Delay.Record(Stopwatch.GetTimestamp() - _toldAt);
            }

            // Who hears of it and looks finds it.
            _batch.Events.Tell();
        }
    }

    /// <summary>Closes of files that were open for writing concern nobody but those who listen.</summary>
    private void SetEventsWanted(bool areWanted)
    {
        for (ushort index = 0; _fanotify is not null && index < _share.Mounts.All.Count; index++)
        {
            using PinnedMount mount = _share.Mounts.Pin(index);
            if (mount.Fd >= 0 && _isMarked[index])
            {
                _fanotify.MarkCloses(mount.Fd, areWanted);
            }
        }
    }

    /// <param name="what">Could not be had, because of <paramref name="errno"/>.</param>
    private void Lower(WatchState state, string what, Errno errno)
    {
        WatchState possible = _inotify is null ? WatchState.None : state;
        lock (_stateLock)
        {
            if (possible >= _state)
            {
                return;
            }

            _state = possible;
        }

        if (possible == WatchState.Inotify)
        {
            LogInotify(_log, _share.Options.SharedDirectory, what, errno);
        }
        else
        {
            LogNone(_log, _share.Options.SharedDirectory, what, errno);
        }
    }

    [LoggerMessage(
        Level = LogLevel.Information,
        Message = "{Directory}: changes that programs of the host make are noticed by inotify, with a watch for each inode that guests " +
            "hold: fanotify cannot be used ({What}: {Errno})")]
    private static partial void LogInotify(ILogger log, string directory, string what, Errno errno);

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "{Directory}: changes that programs of the host make are not noticed, or not all of them ({What}: {Errno}). Guests " +
            "that cache for ever may not see them: let host programs work through a mount of the share")]
    private static partial void LogNone(ILogger log, string directory, string what, Errno errno);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Directory}: events of the host were lost; guests ask for everything anew")]
    private static partial void LogLost(ILogger log, string directory);

    [LoggerMessage(
        Level = LogLevel.Information, Message = "{Directory}: something was mounted or unmounted below; guests ask for everything anew")]
    private static partial void LogMounts(ILogger log, string directory);

    [LoggerMessage(
        Level = LogLevel.Critical,
        Message = "{Directory}: the watcher of the host ended in a way that it must not; guests stop believing their caches")]
    private static partial void LogDead(ILogger log, Exception unexpected, string directory);
}
