using Coherency.Core.Linux;

namespace Coherency.Host.Server.Statistics;

/// <summary>What a client's requests of one operation amount to, from the start on.</summary>
public sealed class OperationTotals
{
    public long Started { get; internal set; }

    /// <summary>Of those, how many have been carried out, successfully or not.</summary>
    public long Finished { get; internal set; }

    /// <summary>On their way now; a SETLKW that waits for its lock is.</summary>
    public long InFlight => Math.Max(0, Started - Finished);

    /// <summary>Slots that these requests moved, of all the tables of others together; each once for a change.</summary>
    public long SlotsMoved { get; internal set; }

    /// <summary>
    /// From the moment that the queue's thread was free for the request and found it there, to its reply. Their number may be
    /// some behind <see cref="Finished"/> while requests stand in line (<see cref="RequestRecorder"/>).
    /// </summary>
    public DurationTotals Durations { get; } = new();

    /// <summary>Those that failed, by error.</summary>
    public IReadOnlyList<(Errno Error, long Count)> Errors { get; internal set; } = [];
}
