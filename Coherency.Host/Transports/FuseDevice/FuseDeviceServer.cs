using System.Diagnostics;
using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Host.Faults;
using Coherency.Host.Server;
using Coherency.Host.Server.Statistics;
using Microsoft.Extensions.Logging;

namespace Coherency.Host.Transports.FuseDevice;

/// <summary>
/// Serves one mount of the host's kernel until it is unmounted, by <see cref="Dispose"/> or by anybody else. There are more threads
/// than were asked for while requests that take long keep all of them (<see cref="StallWatch"/>).
/// </summary>
public sealed partial class FuseDeviceServer : IStallable, IDisposable
{
    /// <summary>Requests that take long, and those beside them: more have to wait.</summary>
    private const int ThreadsMax = 256;

    private readonly FuseMount _mount;
    private readonly FuseSession _session;
    private readonly MountView? _view;
    private readonly FuseDeviceChannel _channel;
    private readonly string _mountPoint;
    private readonly ILogger _log;
    private readonly LogLimit _refusedThreads = new();
    private readonly int _threadsKept;
    private readonly Lock _threadsLock = new();
    private readonly List<Thread> _threads = [];
    private readonly TaskCompletionSource _unmounted = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Threads that wait for a request.</summary>
    private int _waiting;
    private long _received;
    private long _receivedSeen;

    /// <param name="source">What /proc/mounts shows as the mount's source.</param>
    /// <param name="rootMode">st_mode of the share's root.</param>
    /// <param name="session">Taken over.</param>
    /// <param name="threads">Requests that are carried out at the same time, unless they take long.</param>
    /// <param name="view">Learns how to reach the mount's kernel, before that asks for anything.</param>
    /// <exception cref="LinuxException">The kernel refused the mount.</exception>
    public FuseDeviceServer(
        string source, string mountPoint, uint rootMode, FuseSession session, int threads, ILogger log, MountView? view = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(threads, ThreadsMax);
        _session = session;
        _mountPoint = mountPoint;
        _log = log;
        _mount = FuseMount.Mount(source, mountPoint, rootMode);
        _channel = new FuseDeviceChannel(_mount.Fd, log);
        _view = view;
        _view?.Attach(_channel);
        _threadsKept = threads;
        lock (_threadsLock)
        {
            while (_threads.Count < threads)
            {
                StartThread();
            }
        }

        StallWatch.Add(this);
    }

    /// <summary>Completes when the mount is gone.</summary>
    public Task Unmounted => _unmounted.Task;

    public FuseSession Session => _session;

    /// <summary>Unmounts if need be and waits for the requests on their way.</summary>
    public void Dispose()
    {
        if (!_unmounted.Task.IsCompleted && !_mount.Unmount())
        {
            LogBusy(_log, _mountPoint);
        }

        _unmounted.Task.Wait();
        _session.Dispose();
        _mount.Dispose();
    }

    bool IStallable.Relieve()
    {
        long received = Volatile.Read(ref _received);
        bool moved = received != _receivedSeen;
        bool isHeldUp = Volatile.Read(ref _waiting) == 0;
        _receivedSeen = received;
        if (!moved && isHeldUp)
        {
            lock (_threadsLock)
            {
                // None when it was unmounted: the last has ended then.
                if (_threads.Count is > 0 and < ThreadsMax)
                {
                    TryStartThread();
                }
            }
        }

        return moved || isHeldUp;
    }

    /// <summary>With the lock held.</summary>
    private void StartThread()
    {
        _threads.Add(RequestThread.Start($"fuse{_threads.Count}", Run, Fail));
        Interlocked.Increment(ref _waiting);
    }

    /// <summary>The same, where the mount can do without: others may have taken all threads that the system has.</summary>
    private void TryStartThread()
    {
        try
        {
            StartThread();
        }
        catch (Exception refused) when (refused is LinuxException or OutOfMemoryException)
        {
            if (_refusedThreads.Allows(out long unsaid))
            {
                LogNoThread(_log, _mountPoint, refused.Message, unsaid);
            }
        }
    }

    private void Run()
    {
        try
        {
            RequestRecorder recorder = _session.Counters.Rent();
            Serve(recorder);
            _session.Counters.Return(recorder);
        }
        finally
        {
            Leave();
        }
    }

    /// <summary>Programs that use the mount get ENOTCONN instead of waiting for an answer that nobody gives.</summary>
    private void Fail(Exception fault)
    {
        _mount.Unmount();
        LogFault(_log, fault, _mountPoint);
    }

    private void Leave()
    {
        bool isLast;
        lock (_threadsLock)
        {
            _threads.Remove(Thread.CurrentThread);
            isLast = _threads.Count == 0;
        }

        if (isLast)
        {
            // Also when somebody else unmounted: what the mount held is given back at once.
            StallWatch.Remove(this);
            _view?.Close();
            _session.Reset();
            _unmounted.TrySetResult();
        }
    }

    /// <summary>Until the mount is gone, or more threads wait than are to be kept.</summary>
    private void Serve(RequestRecorder recorder)
    {
        do
        {
            FuseRequest? request = _channel.Receive();
            Interlocked.Decrement(ref _waiting);
            if (request is null)
            {
                return;
            }

            Interlocked.Increment(ref _received);
            StallWatch.WakeIfAsleep();
            request.ArrivedAt = Stopwatch.GetTimestamp();
            _session.Handle(request, isPrivate: true, recorder);
        }
        while (Interlocked.Increment(ref _waiting) <= _threadsKept);
        Interlocked.Decrement(ref _waiting);
    }

    [LoggerMessage(Level = LogLevel.Critical, Message = "{MountPoint}: a thread failed in a way that it must not; it is unmounted")]
    private static partial void LogFault(ILogger log, Exception fault, string mountPoint);

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "{MountPoint} has no other thread for when all requests take long: {Problem} ({Unsaid} more since the last line)")]
    private static partial void LogNoThread(ILogger log, string mountPoint, string problem, long unsaid);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{MountPoint} was in use: programs that still use it get ENOTCONN")]
    private static partial void LogBusy(ILogger log, string mountPoint);
}
