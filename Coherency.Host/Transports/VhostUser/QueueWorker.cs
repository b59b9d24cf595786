using System.Diagnostics;
using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Core.Virtio;
using Coherency.Host.Server;
using Coherency.Host.Server.Statistics;
using Microsoft.Extensions.Logging;

namespace Coherency.Host.Transports.VhostUser;

/// <summary>How a queue is served.</summary>
/// <param name="PollMicroseconds">See <see cref="QueuePolling"/>.</param>
/// <param name="HelperThreads">See <see cref="VhostUser.HelperThreads"/>.</param>
public readonly record struct QueueOptions(int PollMicroseconds, int HelperThreads)
{
    /// <summary>Nobody waits for what comes by this queue: see <see cref="QueueGathering"/>.</summary>
    public bool Gathers { get; init; }
}

/// <summary>
/// Serves one running virtqueue with a thread of its own: takes requests off the ring, has the session carry them out, sleeps
/// on the kick when there are none. Lives from the moment the ring starts until it stops.
/// </summary>
internal sealed partial class QueueWorker : IDisposable
{
    /// <summary>Requests that were given back to the driver but are still being put away, at most: one for each thread.</summary>
    private const int InFlightSlack = 128;

    private readonly Virtqueue _queue;
    private readonly VirtqueueChannel _channel;
    private readonly FuseSession _session;
    private readonly LockWaitQueue _lockWaits;
    private readonly HandOver _handOver = new();
    private readonly HelperThreads _helpers;
    private readonly RequestRecorder _recorder;
    private readonly QueuePolling _polling;
    private readonly QueueGathering? _gathering;
    private readonly KickWait _kick;
    private readonly ILogger _log;
    private readonly Thread _thread;
    private GuestMemory? _newMemory;
    private readonly LogLimit _badChains = new();
    private long _served;
    private volatile bool _stopping;

    public QueueWorker(string name, Virtqueue queue, EventFd? kick, VringCall call, FuseSession session, LockWaitQueue lockWaits, QueueOptions options, ILogger log)
    {
        _queue = queue;
        _channel = new VirtqueueChannel(queue, call, log);
        _session = session;
        _lockWaits = lockWaits;
        _log = log;
        _polling = new QueuePolling(options.PollMicroseconds);
        _gathering = options.Gathers ? new QueueGathering() : null;
        _kick = new KickWait(kick);
        _recorder = session.Counters.Rent();
        _helpers = new HelperThreads(session, _handOver, name, options.HelperThreads);
        _thread = RequestThread.Start(name, Run);
    }

    /// <summary>Requests in the ring that were not taken yet, and those that were and have no answer; on whichever thread.</summary>
    public (int Waiting, int InFlight) Load => (_queue.CountWaiting(), _channel.InFlight);

    /// <summary>Lets the queue go over to memory that the front end has changed, and waits until it has.</summary>
    public void UseMemory(GuestMemory memory)
    {
        memory.Acquire();
        Interlocked.Exchange(ref _newMemory, memory)?.Release();
        _kick.Interrupt();
        SpinWait wait = default;
        while (Volatile.Read(ref _newMemory) is not null && _thread.IsAlive)
        {
            wait.SpinOnce();
        }
    }

    /// <summary>
    /// Stops taking requests, ends those on their way (a lock being waited for is given up with EINTR) and returns the index of
    /// the first entry not taken.
    /// </summary>
    public ushort Stop()
    {
        _stopping = true;
        _kick.Interrupt();
        _thread.Join();
        _helpers.Dispose();
        _lockWaits.CancelAll(_channel);
        SpinWait wait = default;
        while (_channel.InFlight > 0)
        {
            wait.SpinOnce();
        }

        return _queue.NextAvailable;
    }

    public void Dispose()
    {
        Stop();
        Interlocked.Exchange(ref _newMemory, null)?.Release();
        _session.Counters.Return(_recorder);
        _queue.Close();
        _channel.Dispose();
        _kick.Dispose();
    }

    private void Run()
    {
        _recorder.BeginLine(Stopwatch.GetTimestamp());
        try
        {
            while (!_stopping)
            {
                TakeNewMemory();
                if (!_queue.IsPlaced)
                {
                    _kick.Wait();
                    _recorder.BeginLine(Stopwatch.GetTimestamp());
                }
                else if (!ServeAvailable())
                {
                    AwaitWork();
                }
            }
        }
        catch (VirtqueueException broken)
        {
            LogBroken(_log, Thread.CurrentThread.Name!, broken.Message);
        }

        _recorder.EndLine();
        long allocated = GC.GetAllocatedBytesForCurrentThread();
        LogStopped(_log, Thread.CurrentThread.Name!, _served, allocated);
    }

    /// <summary>Looks, then sleeps.</summary>
    private void AwaitWork()
    {
        _recorder.EndLine();
        if (_polling.Look(this, static worker => worker.HasWork()))
        {
            _recorder.BeginLine(_polling.LastLook);
        }
        else
        {
            Sleep();
            _polling.EndSleep();
            _recorder.BeginLine(Stopwatch.GetTimestamp());
        }
    }

    private bool HasWork() => _queue.CountAvailable() > 0 || _stopping || Volatile.Read(ref _newMemory) is not null;

    private void TakeNewMemory()
    {
        if (Interlocked.Exchange(ref _newMemory, null) is { } memory)
        {
            try
            {
                _queue.UseMemory(memory);
            }
            catch (VirtqueueException elsewhere)
            {
                // A front end that moves memory takes a region away before it adds it again.
                LogUnplaced(_log, Thread.CurrentThread.Name!, elsewhere.Message);
            }
            finally
            {
                memory.Release();
            }
        }
    }

    /// <summary>Serves what is in the ring now; false when that was nothing.</summary>
    private bool ServeAvailable()
    {
        if (!_queue.TryPop(out ushort head))
        {
            return false;
        }

        _queue.DisableNotifications();
        do
        {
            if (_channel.InFlight >= _queue.Entries + InFlightSlack)
            {
                throw new VirtqueueException($"more requests are in flight than the ring's {_queue.Entries} entries");
            }

            Serve(head);
        }
        while (!_stopping && _queue.TryPop(out head));
        return true;
    }

    private void Serve(ushort head)
    {
        _served++;
        VirtqueueRequest request = _channel.Rent(head);
        if (!_queue.TryReadChain(head, request, out string? problem))
        {
            if (_badChains.Allows(out long unsaid))
            {
                LogBadChain(_log, Thread.CurrentThread.Name!, problem!, unsaid);
            }

            request.CompleteWithoutReply();
            return;
        }

        if (!_session.Load(request, isPrivate: false))
        {
            return;
        }

        request.ArrivedAt = _session.Counters.MeasuresRequests ? _recorder.Arrive(request.Opcode) : 0;
        if (_helpers.Any && _handOver.IsDue(request.Opcode))
        {
            request.Hold(_queue.Memory);
            _helpers.Add(request);
            _recorder.HandOn();
        }
        else
        {
            _handOver.Execute(_session, request, _recorder);
        }
    }

    private void Sleep()
    {
        _gathering?.Rest(_queue);
        if (!_queue.EnableNotifications())
        {
            _kick.Wait();
        }
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "{Queue} stopped after {Requests} requests, for which its thread allocated {Bytes} bytes")]
    private static partial void LogStopped(ILogger log, string queue, long requests, long bytes);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Queue} stopped until the guest resets its device: {Problem}")]
    private static partial void LogBroken(ILogger log, string queue, string problem);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Queue}: dropped a malformed descriptor chain: {Problem} ({Unsaid} more since the last line)")]
    private static partial void LogBadChain(ILogger log, string queue, string problem, long unsaid);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Queue} waits for its memory: {Problem}")]
    private static partial void LogUnplaced(ILogger log, string queue, string problem);
}
