using Coherency.Core.Linux;
using Coherency.Core.Virtio;

namespace Coherency.Host.Transports.VhostUser;

/// <summary>
/// Lets the requests of a queue that nobody waits for gather, while the guest need not kick: being woken for each FORGET would
/// take the processor from the threads that serve what somebody does wait for. The rest shrinks while many come in one: to serve
/// those would take the processor from the others for long, and more might fill the ring, so that the guest would wait after all.
/// </summary>
internal sealed class QueueGathering
{
    private const int GatheredMax = 4;

    private static readonly TimeSpan RestMax = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan RestMin = RestMax / 16;

    private TimeSpan _rest = RestMax;

    /// <summary>Rests once.</summary>
    /// <exception cref="VirtqueueException">The driver claims more than the ring holds.</exception>
    public void Rest(Virtqueue queue)
    {
        Libc.Rest(_rest);
        if (queue.CountAvailable() > GatheredMax)
        {
            _rest = _rest > RestMin ? _rest / 2 : RestMin;
        }
        else
        {
            _rest = _rest < RestMax ? _rest * 2 : RestMax;
        }
    }
}
