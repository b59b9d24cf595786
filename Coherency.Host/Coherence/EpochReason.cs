namespace Coherency.Host.Coherence;

/// <summary>Why everything that a guest had cached became stale at once.</summary>
public enum EpochReason
{
    /// <summary>The guest began to consult its table.</summary>
    Attach,

    /// <summary>It ended that, or its session ended.</summary>
    Detach,

    /// <summary>Somebody changed something, and nobody knows what.</summary>
    Lost,
}
