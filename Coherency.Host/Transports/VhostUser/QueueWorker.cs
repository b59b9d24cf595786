using System.Diagnostics;
using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Core.Virtio;
using Coherency.Host.Faults;
using Coherency.Host.Server;
using Coherency.Host.Server.Statistics;
using Microsoft.Extensions.Logging;

namespace Coherency.Host.Transports.VhostUser;

/// <summary>How a queue is served.</summary>
/// <param name="PollMicroseconds">See <see cref="QueuePolling"/>.</param>
/// <param name="ThreadPoolSize">Threads beside the first that may carry requests out; they are started when they are needed.</param>
public readonly record struct QueueOptions(int PollMicroseconds, int ThreadPoolSize)
{
    /// <summary>Nobody waits for what comes by this queue: see <see cref="QueueGathering"/>.</summary>
    public bool Gathers { get; init; }

    /// <summary>What holds a queue up beside that which <see cref="HandOver"/> names, asked for each request; null for nothing.</summary>
    public Func<FuseOpcode, bool>? HandsOver { get; init; }
}

/// <summary>
/// Serves one running virtqueue: takes requests off the ring, has the session carry them out, sleeps on the kick when there are
/// none. Lives from the moment the ring starts until it stops.
/// <para>
/// One thread at a time leads (<see cref="LeaderFollowers"/>). Before a request that would hold the queue up it passes the lead on, and
/// one that has been with a request for long loses it (<see cref="StallWatch"/>). So a file system that is slow, or does not answer at
/// all, holds up who asks for it, and nobody else.
/// </para>
/// </summary>
internal sealed partial class QueueWorker : IDisposable
{
    /// <summary>Requests that were given back to the driver but are still being put away, at most: one for each thread.</summary>
    private const int InFlightSlack = 128;

    private readonly string _name;
    private readonly Virtqueue _queue;
    private readonly VirtqueueChannel _channel;
    private readonly FuseSession _session;
    private readonly HandOver _handOver;
    private readonly LeaderFollowers _threads;
    private readonly QueuePolling _polling;
    private readonly QueueGathering? _gathering;
    private readonly KickWait _kick;
    private readonly VringEvent _error;
    private readonly ILogger _log;
    private readonly Action _failed;
    private readonly LogLimit _badChains = new();
    private GuestMemory? _newMemory;
    private volatile bool _stopping;
    private volatile bool _broken;

    private readonly Lock _totalsLock = new();
    private long _served;
    private long _allocated;

    /// <param name="failed">Is told that a thread has ended which must not end: the connection has to.</param>
    /// <exception cref="LinuxException">A thread could not be prepared; nothing is left of the worker.</exception>
    public QueueWorker(
        string name,
        Virtqueue queue,
        EventFd? kick,
        VringEvent call,
        VringEvent error,
        FuseSession session,
        QueueOptions options,
        ILogger log,
        Action failed)
    {
        _name = name;
        _queue = queue;
        _channel = new VirtqueueChannel(queue, call, StepAside, log);
        _session = session;
        _error = error;
        _log = log;
        _failed = failed;
        _polling = new QueuePolling(options.PollMicroseconds);
        _gathering = options.Gathers ? new QueueGathering() : null;
        _kick = new KickWait(kick);
        _handOver = new HandOver(options.HandsOver);
        _threads = new LeaderFollowers(name, 1 + options.ThreadPoolSize, Run, () => queue.Memory, Fail, log);
        try
        {
            _threads.Start();
        }
        catch
        {
            _channel.Dispose();
            _kick.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Requests in the ring that were not taken yet, and those that were and have no answer, on whichever thread; but for those that
    /// wait for news.
    /// </summary>
    public (int Waiting, int InFlight) Load => (_queue.CountWaiting(), Math.Max(0, _channel.InFlight - _channel.Idle));

    /// <summary>How often the queue was handed over to another thread.</summary>
    public long HandOvers => _threads.Passed;

    /// <summary>Lets the queue go over to memory that the front end has changed, and waits until it has.</summary>
    public void UseMemory(GuestMemory memory)
    {
        memory.Acquire();
        Interlocked.Exchange(ref _newMemory, memory)?.Release();
        _kick.Interrupt();
        SpinWait wait = default;
        while (Volatile.Read(ref _newMemory) is not null && !_broken)
        {
            wait.SpinOnce();
        }
    }

    /// <summary>
    /// Stops taking requests, ends those on their way (what waits is given up with EINTR) and returns the index of
    /// the first entry not taken.
    /// </summary>
    public ushort Stop()
    {
        _stopping = true;
        _threads.Stop(_kick.Interrupt);
        _session.CancelWaits(_channel);
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
        LogStopped(_log, _name, _served, _allocated);
        Interlocked.Exchange(ref _newMemory, null)?.Release();
        _queue.Close();
        _channel.Dispose();
        _kick.Dispose();
    }

    private void Fail(Exception fault)
    {
        // First: the log may be what has failed.
        _broken = true;
        _failed();
        LogFault(_log, fault, _name);
    }

    private void Run()
    {
        ServingThread thread = new(_session.Counters.Rent());
        while (_threads.TryLead(thread))
        {
            try
            {
                Lead(thread);
            }
            catch (VirtqueueException broken)
            {
                // Nobody takes the lead after this.
                LogBroken(_log, _name, broken.Message);
                _broken = true;
                _error.Signal();
                break;
            }
        }

        thread.Recorder.EndLine();
        _session.Counters.Return(thread.Recorder);
        lock (_totalsLock)
        {
            _served += thread.Served;
            _allocated += GC.GetAllocatedBytesForCurrentThread();
        }
    }

    /// <summary>Serves until the queue stops or another thread leads.</summary>
    private void Lead(ServingThread thread)
    {
        thread.Recorder.BeginLine(Stopwatch.GetTimestamp());
        while (!_stopping)
        {
            TakeNewMemory();
            if (!_queue.IsPlaced)
            {
                _kick.Wait();
                thread.Recorder.BeginLine(Stopwatch.GetTimestamp());
            }
            else if (!_queue.TryPop(out ushort head))
            {
                AwaitWork(thread.Recorder);
            }
            else if (!ServeLine(thread, head))
            {
                return;
            }
        }
    }

    /// <summary>Looks, then sleeps.</summary>
    private void AwaitWork(RequestRecorder recorder)
    {
        recorder.EndLine();
        if (_polling.Look(this, static worker => worker.HasWork()))
        {
            recorder.BeginLine(_polling.LastLook);
        }
        else
        {
            Sleep();
            _polling.EndSleep();
            recorder.BeginLine(Stopwatch.GetTimestamp());
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
                LogUnplaced(_log, _name, elsewhere.Message);
            }
            finally
            {
                memory.Release();
            }
        }
    }

    /// <summary>Serves what is in the ring now, beginning with an entry that was taken; false when the lead was lost.</summary>
    private bool ServeLine(ServingThread thread, ushort head)
    {
        _queue.DisableNotifications();
        do
        {
            if (_channel.InFlight >= _queue.Entries + InFlightSlack)
            {
                throw new VirtqueueException($"more requests are in flight than the ring's {_queue.Entries} entries");
            }

            if (!Serve(thread, head))
            {
                return false;
            }
        }
        while (!_stopping && _queue.TryPop(out head));
        return true;
    }

    /// <summary>Carries out one request; false when the lead was lost meanwhile.</summary>
    private bool Serve(ServingThread thread, ushort head)
    {
        thread.Served++;
        VirtqueueRequest request = _channel.Rent(head);
        uint generation = request.Generation;
        try
        {
            return Serve(thread, head, request);
        }
        catch
        {
            // The queue ends, and who stops it waits for all its requests. One that was parked has another owner.
            if (!request.IsHeld && request.IsUnanswered(generation))
            {
                request.ReplyError(Errno.EIO);
            }

            throw;
        }
    }

    private bool Serve(ServingThread thread, ushort head, VirtqueueRequest request)
    {
        if (!_queue.TryReadChain(head, request, out string? problem))
        {
            if (_badChains.Allows(out long unsaid))
            {
                LogBadChain(_log, _name, problem!, unsaid);
            }

            request.Reject(Errno.EIO);
            return true;
        }

        if (!_session.Load(request, isPrivate: false))
        {
            return true;
        }

        request.ArrivedAt = _session.Counters.MeasuresRequests ? thread.Recorder.Arrive(request.Opcode) : 0;
        long turn = _threads.BeginTurn();
        request.Take(turn);
        bool keepsLead;
        try
        {
            if (_handOver.IsDue(request.Opcode))
            {
                _threads.TryPass(turn);
            }

            _handOver.Execute(_session, request, thread.Recorder);
        }
        finally
        {
            keepsLead = _threads.EndTurn(thread, turn);
        }

        return keepsLead;
    }

    /// <summary>The thread that carries the request out is about to wait.</summary>
    private void StepAside(VirtqueueRequest request) => _threads.TryPass(request.Turn);

    private void Sleep()
    {
        _gathering?.Rest(_queue);
        if (!_queue.EnableNotifications())
        {
            _kick.Wait();
        }
    }

    [LoggerMessage(
        Level = LogLevel.Debug, Message = "{Queue} stopped after {Requests} requests, for which its threads allocated {Bytes} bytes")]
    private static partial void LogStopped(ILogger log, string queue, long requests, long bytes);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Queue} stopped until the guest resets its device: {Problem}")]
    private static partial void LogBroken(ILogger log, string queue, string problem);

    [LoggerMessage(Level = LogLevel.Critical, Message = "{Queue} failed in a way that it must not; its guest's connection ends")]
    private static partial void LogFault(ILogger log, Exception fault, string queue);

    [LoggerMessage(
        Level = LogLevel.Warning, Message = "{Queue}: dropped a malformed descriptor chain: {Problem} ({Unsaid} more since the last line)")]
    private static partial void LogBadChain(ILogger log, string queue, string problem, long unsaid);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Queue} waits for its memory: {Problem}")]
    private static partial void LogUnplaced(ILogger log, string queue, string problem);

    private sealed class ServingThread(RequestRecorder recorder) : QueueThread
    {
        public RequestRecorder Recorder => recorder;

        public long Served { get; set; }
    }
}
