using System.Diagnostics;
using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Core.Versioning;
using Coherency.Core.Versioning.Abi;
using Coherency.Host.Coherence.Changes;
using Coherency.Host.Faults;

namespace Coherency.Host.Coherence.Events;

/// <summary>
/// A client that is told of changes: what it has not been told, and the request by which it waits for that. The request belongs to
/// whoever takes it out of here, and is answered once: by the thread of <see cref="ShareEvents"/>, by the one that brings the next
/// request, or by the one that gives it up.
/// </summary>
public sealed class EventSubscriber
{
    /// <summary>Answers follow each other no faster: what happens meanwhile goes together.</summary>
    private static readonly long PauseTicks = Stopwatch.Frequency / 1000;

    private readonly Lock _lock = new();
    private readonly IEventAudience _audience;
    private FuseRequest? _poll;
    private int _pollBytes;
    private long _pollEnd;
    private long _answeredAt = Stopwatch.GetTimestamp() - PauseTicks;
    private bool _hasEnded;

    private readonly Action<Exception> _failed;

    /// <param name="view">The client's own: of changes that it makes itself it is not told.</param>
    /// <param name="failed">Is told of what must not happen, which ends the telling.</param>
    public EventSubscriber(ShareView view, IEventAudience audience, FileEventKinds wanted, Action<Exception> failed)
    {
        View = view;
        _audience = audience;
        _failed = failed;
        Wanted = wanted;
    }

    public ShareView View { get; }

    /// <summary>The kinds that it wants to hear of; <see cref="ShareEvents.Want"/> changes them.</summary>
    public FileEventKinds Wanted { get; internal set; }

    /// <summary>It wants to hear of locks that may be free.</summary>
    public bool WantsLocks { get; internal set; }

    /// <summary>What became of the events for it.</summary>
    public EventCounts Counts => Queue.Counts;

    internal EventQueue Queue { get; } = new();

    /// <summary>A request waits, which somebody has to answer when there is something to tell.</summary>
    internal bool IsWaiting => Volatile.Read(ref _poll) is not null;

    /// <summary>
    /// Takes a request over: it is answered with what there is to tell, or waits for that. One that waits already is answered with
    /// nothing.
    /// </summary>
    /// <param name="bytes">The answer's room.</param>
    /// <param name="hold">How long it may wait.</param>
    /// <returns>False when the telling has ended: the request stays the caller's.</returns>
    public bool TryPoll(ShareEvents events, FuseRequest request, int bytes, TimeSpan hold)
    {
        FuseRequest? older;
        lock (_lock)
        {
            if (_hasEnded)
            {
                return false;
            }

            older = _poll;
            request.Channel.ParkIdle(request);
            _pollBytes = bytes;
            _pollEnd = Stopwatch.GetTimestamp() + (long)(hold.TotalSeconds * Stopwatch.Frequency);
            Volatile.Write(ref _poll, request);
        }

        AnswerEmpty(older);
        // The thread learns how long it may wait. It pairs with the barrier of whoever adds an event and looks whether a request waits.
        Interlocked.MemoryBarrier();
        events.Wake();
        return true;
    }

    /// <summary>Answers the request that waits, if there is something to tell or it has waited long enough.</summary>
    /// <param name="block">Room for an answer.</param>
    /// <returns>In how many milliseconds there will be something to do without a call to wake; -1 for never.</returns>
    internal int Serve(Span<byte> block)
    {
        FuseRequest poll;
        bool hasContent = Queue.HasContent;
        long now = Stopwatch.GetTimestamp();
        lock (_lock)
        {
            if (_poll is null)
            {
                return -1;
            }

            // Who waits for a lock is not kept waiting.
            long due = Queue.HasLocks ? now : hasContent ? Math.Min(_answeredAt + PauseTicks, _pollEnd) : _pollEnd;
            if (now < due)
            {
                return (int)Math.Min(((due - now) * 1000 / Stopwatch.Frequency) + 1, int.MaxValue);
            }

            poll = _poll;
            block = block[.._pollBytes];
            _poll = null;
            _answeredAt = now;
        }

        poll.Reply(block[..Queue.Take(block, _audience)]);
        return -1;
    }

    /// <summary>Gives the request up that waits, if it came by this channel: its queue stops.</summary>
    public void Cancel(FuseChannel channel) => Cancel(request => request.Channel == channel);

    /// <summary>Gives the request up, if it is this one.</summary>
    public void Cancel(ulong unique) => Cancel(request => request.Unique == unique);

    internal void Report(Exception fault) => GuardedThread.Guard(() => _failed(fault), static _ => { });

    internal bool IsToldOf(ulong key) => key != 0 && _audience.Holds(key);

    /// <summary>Nothing more is told.</summary>
    internal void End()
    {
        FuseRequest? poll;
        lock (_lock)
        {
            _hasEnded = true;
            poll = _poll;
            _poll = null;
        }

        AnswerEmpty(poll);
        Queue.Clear();
    }

    private void Cancel(Predicate<FuseRequest> which)
    {
        FuseRequest? cancelled = null;
        lock (_lock)
        {
            if (_poll is not null && which(_poll))
            {
                cancelled = _poll;
                _poll = null;
            }
        }

        cancelled?.ReplyError(Errno.EINTR);
    }

    private static void AnswerEmpty(FuseRequest? poll)
    {
        Span<byte> empty = stackalloc byte[ChannelFormat.BlockHeaderBytes];
        ChannelFormat.WriteHeader(empty, empty.Length, ChannelBlockFlags.None);
        poll?.Reply(empty);
    }
}
