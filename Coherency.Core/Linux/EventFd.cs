namespace Coherency.Core.Linux;

/// <summary>Owns an eventfd(2), made here or received: the doorbell between guest and daemon.</summary>
public sealed unsafe class EventFd : IDisposable
{
    private int _fd;

    /// <summary>Takes ownership of <paramref name="fd"/>.</summary>
    public EventFd(int fd) => _fd = fd;

    public int Fd => _fd;

    /// <exception cref="LinuxException">No descriptor is left.</exception>
    public static EventFd Create() =>
        new(LinuxException.Check(Libc.EventFd(0, EventFlags.EFD_CLOEXEC | EventFlags.EFD_NONBLOCK), "eventfd"));

    /// <summary>Rings. A full counter means that it rings already.</summary>
    public void Signal()
    {
        ulong one = 1;
        _ = Libc.Write(_fd, &one, sizeof(ulong));
    }

    /// <summary>Takes the rings that came so far; false when there were none.</summary>
    public bool Drain()
    {
        ulong count;
        return Libc.Read(_fd, &count, sizeof(ulong)) == sizeof(ulong);
    }

    public void Dispose()
    {
        int fd = Interlocked.Exchange(ref _fd, -1);
        if (fd >= 0)
        {
            _ = Libc.Close(fd);
        }
    }
}
