namespace Coherency.Host.Transports.VhostUser;

/// <summary>What one of a guest's queues has to do now, for whoever looks on; nothing while it does not run. Thread-safe.</summary>
public sealed class QueueLoad
{
    private volatile QueueWorker? _worker;

    /// <summary>Requests that the guest has put into the ring and that were not taken yet, and those taken and not answered.</summary>
    public (int Waiting, int InFlight) Read() => _worker?.Load ?? default;

    /// <summary>How often a thread has handed the queue over to another since it runs.</summary>
    internal long HandOvers => _worker?.HandOvers ?? 0;

    internal void Use(QueueWorker worker) => _worker = worker;
}
