using System.Diagnostics;
using Coherency.Core.Fuse;
using Coherency.Host.Server;
using Coherency.Host.Server.Statistics;
using Microsoft.Extensions.Logging;

namespace Coherency.Host.Transports.FuseDevice;

/// <summary>Serves one mount of the host's kernel until it is unmounted, by <see cref="Dispose"/> or by anybody else.</summary>
public sealed partial class FuseDeviceServer : IDisposable
{
    private readonly FuseMount _mount;
    private readonly FuseSession _session;
    private readonly MountView? _view;
    private readonly FuseDeviceChannel _channel;
    private readonly string _mountPoint;
    private readonly ILogger _log;
    private readonly Thread[] _threads;
    private readonly TaskCompletionSource _unmounted = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _running;

    /// <param name="source">What /proc/mounts shows as the mount's source.</param>
    /// <param name="rootMode">st_mode of the share's root.</param>
    /// <param name="session">Taken over.</param>
    /// <param name="threads">Requests that can be carried out at the same time.</param>
    /// <param name="view">Learns how to reach the mount's kernel, before that asks for anything.</param>
    /// <exception cref="Core.Linux.LinuxException">The kernel refused the mount.</exception>
    public FuseDeviceServer(
        string source, string mountPoint, uint rootMode, FuseSession session, int threads, ILogger log, MountView? view = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        _session = session;
        _mountPoint = mountPoint;
        _log = log;
        _mount = FuseMount.Mount(source, mountPoint, rootMode);
        _channel = new FuseDeviceChannel(_mount.Fd, log);
        _view = view;
        _view?.Attach(_channel);
        _running = threads;
        _threads = new Thread[threads];
        for (int i = 0; i < threads; i++)
        {
            _threads[i] = RequestThread.Start($"fuse{i}", Run);
        }
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

        foreach (Thread thread in _threads)
        {
            thread.Join();
        }

        _session.Dispose();
        _mount.Dispose();
    }

    private void Run()
    {
        RequestRecorder recorder = _session.Counters.Rent();
        while (_channel.Receive() is { } request)
        {
            request.ArrivedAt = Stopwatch.GetTimestamp();
            _session.Handle(request, isPrivate: true, recorder);
        }

        _session.Counters.Return(recorder);

        if (Interlocked.Decrement(ref _running) == 0)
        {
            // Also when somebody else unmounted: what the mount held is given back at once.
            _view?.Close();
            _session.Reset();
            _unmounted.TrySetResult();
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "{MountPoint} was in use: programs that still use it get ENOTCONN")]
    private static partial void LogBusy(ILogger log, string mountPoint);
}
