using Coherency.Core.Linux;

namespace Coherency.Host.Transports.VhostUser;

/// <summary>
/// An event by which a queue tells the guest or its VMM something. The front end may replace it at any time, to mask interrupts say,
/// while threads signal it: the lock keeps a closed descriptor from being written to.
/// </summary>
/// <param name="signalsAtOnce">A new event is signalled when it comes: what happened before would otherwise never be told.</param>
internal sealed class VringEvent(bool signalsAtOnce) : IDisposable
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

    /// <summary>Takes ownership of <paramref name="newEvent"/>; null tells nobody.</summary>
    public void Replace(EventFd? newEvent)
    {
        lock (_lock)
        {
            _event?.Dispose();
            _event = newEvent;
            if (signalsAtOnce)
            {
                _event?.Signal();
            }
        }
    }

    public void Dispose() => Replace(null);
}
