using Coherency.Core.Linux;

namespace Coherency.Host.Transports.VhostUser;

/// <summary>
/// Sleeps until the guest kicks or somebody interrupts. The kick is watched edge-triggered: each kick is an event of its
/// own, so its counter need not be read, which saves a system call for each wake-up.
/// </summary>
internal sealed unsafe class KickWait : IDisposable
{
    /// <summary>A front end may give no kick at all and expects to be polled (vhost-user.rst, SET_VRING_KICK), in milliseconds.</summary>
    private const int WithoutKickMs = 1;

    private readonly int _epoll;
    private readonly EventFd _interrupt = EventFd.Create();
    private readonly int _timeoutMs;

    /// <param name="kick">Stays the caller's.</param>
    public KickWait(EventFd? kick)
    {
        _epoll = LinuxException.Check(Libc.EpollCreate(), "epoll_create1");
        _timeoutMs = kick is null ? WithoutKickMs : -1;
        try
        {
            Watch(_interrupt);
            if (kick is not null)
            {
                Watch(kick);
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public void Wait()
    {
        // SAFETY: two places, and no more than two are asked for.
        epoll_event* events = stackalloc epoll_event[2];
        _ = Libc.EpollWait(_epoll, events, 2, _timeoutMs);
    }

    /// <summary>Makes a present or the next <see cref="Wait"/> return.</summary>
    public void Interrupt() => _interrupt.Signal();

    public void Dispose()
    {
        _ = Libc.Close(_epoll);
        _interrupt.Dispose();
    }

    private void Watch(EventFd fd)
    {
        epoll_event change = new() { events = EventFlags.EPOLLIN | EventFlags.EPOLLET };
        LinuxException.Check(Libc.EpollControl(_epoll, EventFlags.EPOLL_CTL_ADD, fd.Fd, &change), "watching a queue's kick");
    }
}
