using Coherency.Core.Linux;

namespace Coherency.Host.Transports.VhostUser;

/// <summary>
/// How a queue interrupts the guest. The front end may replace the event at any time, to mask interrupts say, while threads
/// signal it: the lock keeps a closed descriptor from being written to.
/// </summary>
internal sealed class VringCall : IDisposable
{
    private readonly Lock _lock = new();
    private EventFd? _event;

    public void Signal()
    {
        lock (_lock)
        {
            _event?.Signal();
        }
    }

    /// <summary>Takes ownership of <paramref name="newEvent"/>; null interrupts nobody.</summary>
    public void Replace(EventFd? newEvent)
    {
        lock (_lock)
        {
            _event?.Dispose();
            _event = newEvent;

            // What was served before the event came would otherwise never be told; an interrupt too many does no harm.
            newEvent?.Signal();
        }
    }

    public void Dispose() => Replace(null);
}
