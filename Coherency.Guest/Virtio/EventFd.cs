using Coherency.Core.Linux;

namespace Coherency.Guest.Virtio;

/// <summary>A kernel event counter: how guest and daemon wake each other.</summary>
public sealed unsafe class EventFd : IDisposable
{
    private bool _disposed;

    /// <exception cref="LinuxException">No descriptor is to be had.</exception>
    public EventFd() =>
        Fd = LinuxException.Check(Libc.EventFd(0, EventFlags.EFD_CLOEXEC | EventFlags.EFD_NONBLOCK), "eventfd");

    public int Fd { get; }

    /// <summary>Wakes the other side.</summary>
    public void Signal()
    {
        ulong one = 1;
        _ = Libc.Write(Fd, &one, sizeof(ulong));
    }

    /// <summary>Takes back what was signalled; false when nothing was.</summary>
    public bool Consume()
    {
        ulong count;
        return Libc.Read(Fd, &count, sizeof(ulong)) == sizeof(ulong);
    }

    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            _ = Libc.Close(Fd);
        }
    }
}
