using Coherency.Core.Attaching;
using Coherency.Core.Linux;
using Coherency.Daemon.Configuration;
using Coherency.Daemon.Hosting;
using Coherency.Host.Faults;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Coherency.Daemon.Attaching;

/// <summary>
/// Lets keepers have their guests served by this daemon, so that all virtual machines of a host are coherent with each other.
/// </summary>
/// <param name="tables">Where those of keepers' guests are.</param>
/// <param name="expected">Guests that have one before they come.</param>
/// <param name="activated">A socket that listens already, and stays; null when the service makes its own.</param>
internal sealed unsafe partial class AttachService(
    ExpectedTables tables, IReadOnlyList<ExpectedGuest> expected, int? activated, GuestServer server, ILoggerFactory loggers)
    : IHostedService, IDisposable
{
    private const int Backlog = 16;

    /// <summary>Keepers at once; each has a thread that waits.</summary>
    private const int KeepersMax = 1024;

    private readonly ILogger _log = loggers.CreateLogger("coherencyd.attach");
    private readonly EventFd _stop = EventFd.Create();
    private readonly Lock _lock = new();
    private readonly HashSet<AttachChannel> _channels = [];
    private readonly List<Thread> _threads = [];
    private string _path = "";
    private int _fd = -1;
    private Thread? _thread;
    private bool _stopping;

    /// <exception cref="UsageException">It cannot listen.</exception>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        tables.Expect(expected);
        _path = AttachPlace.SocketIn(tables.Folder);
        _fd = activated ?? Listen(_path);
        _thread = GuardedThread.Start("attach", Run, fault => LogUnexpected(_log, fault));
        LogListening(_log, _path);
        return Task.CompletedTask;
    }

    /// <summary>Ends all guests that keepers brought.</summary>
    public Task StopAsync(CancellationToken cancellationToken)
    {
        Thread[] threads;
        lock (_lock)
        {
            _stopping = true;
            threads = [.. _threads];
            foreach (AttachChannel channel in _channels)
            {
                channel.Send(new AttachNotice(AttachNoticeKind.Stopped, "the host's coherencyd was stopped"));
                channel.Shutdown();
            }
        }

        _stop.Signal();
        _thread?.Join();
        foreach (Thread thread in threads)
        {
            thread.Join();
        }

        return Task.CompletedTask;
    }

    public void Dispose()
    {
        if (_fd >= 0)
        {
            _ = Libc.Close(_fd);
            if (activated is null)
            {
                File.Delete(_path);
            }
        }

        _stop.Dispose();
    }

    private void Run()
    {
        pollfd* fds = stackalloc pollfd[2];
        fds[0] = new pollfd { fd = _fd, events = EventFlags.POLLIN };
        fds[1] = new pollfd { fd = _stop.Fd, events = EventFlags.POLLIN };
        while (Libc.Poll(fds, 2, -1) is var _ && fds[1].revents == 0)
        {
            int connected = fds[0].revents != 0 ? Libc.Accept(_fd) : -1;
            if (connected >= 0)
            {
                Take(new AttachChannel(connected));
            }
            else if (fds[0].revents != 0)
            {
                // Descriptors have run out, perhaps: try again soon, but not all the time.
                _ = Libc.Poll(fds + 1, 1, 100);
            }
        }
    }

    /// <summary>A keeper is trusted like the daemon's own user: it says which directory is shared.</summary>
    private void Take(AttachChannel channel)
    {
        int known = Libc.GetPeerCredentials(channel.Fd, out int processId, out uint uid, out _);
        if (known < 0 || (uid != 0 && uid != Libc.GetEUid()))
        {
            LogRefused(_log, processId, uid);
            channel.Send(new AttachNotice(AttachNoticeKind.Refused, $"user {uid} may not have guests served by the host's coherencyd"));
            channel.Dispose();
            return;
        }

        lock (_lock)
        {
            if (_stopping || _channels.Count >= KeepersMax)
            {
                channel.Send(
                    new AttachNotice(
                        AttachNoticeKind.Refused,
                        _stopping ? "the host's coherencyd is stopping" : $"it has {KeepersMax} keepers already"));
                channel.Dispose();
                return;
            }

            _channels.Add(channel);
            _threads.RemoveAll(thread => !thread.IsAlive);
            _threads.Add(GuardedThread.Start($"keeper-{processId}", () => Hold(channel), fault => LogUnexpected(_log, fault)));
        }
    }

    private void Hold(AttachChannel channel)
    {
        try
        {
            KeeperConversation.Hold(channel, server, tables);
        }
        finally
        {
            lock (_lock)
            {
                _channels.Remove(channel);
                channel.Dispose();
            }
        }
    }

    private static int Listen(string path)
    {
        if (!sockaddr_un.TryMake(path, out sockaddr_un address))
        {
            throw new UsageException($"--attach: {path} is longer than the {sockaddr_un.PathMax - 1} bytes that a socket's path can have");
        }

        int fd = LinuxException.Check(Libc.Socket(SocketFlags.AF_UNIX, SocketFlags.SOCK_SEQPACKET, 0), "socket");
        // The folder is this daemon's: what is there, one that was killed has left.
        File.Delete(path);
        int result = Libc.Bind(fd, address);
        if (result >= 0)
        {
            // Before anybody can connect: the process may have no umask.
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            result = Libc.Listen(fd, Backlog);
        }

        if (result < 0)
        {
            _ = Libc.Close(fd);
            throw new UsageException($"--attach: {new LinuxException($"cannot listen at {path}", result.ToErrno()).Message}");
        }

        return fd;
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Keepers can attach guests at {Path}")]
    private static partial void LogListening(ILogger log, string path);

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "Process {ProcessId} of user {Uid} may not attach a guest: only root and the daemon's own user may")]
    private static partial void LogRefused(ILogger log, int processId, uint uid);

    [LoggerMessage(Level = LogLevel.Critical, Message = "Attaching a guest failed in a way that it must not")]
    private static partial void LogUnexpected(ILogger log, Exception unexpected);
}
