namespace Coherency.Host.Coherence;

/// <summary>Why everything that a guest had cached became stale at once.</summary>
public enum EpochReason
{
    /// <summary>The guest began to consult its table.</summary>
    Attach,

    /// <summary>It ended that, or its session ended.</summary>
    Detach,

    /// <summary>
    /// Its virtual machine was stopped or goes on. It may be one that was taken back to an earlier state: what it changed itself
    /// since then, no slot has told it.
    /// </summary>
    Stop,

    /// <summary>Somebody changed something, and nobody knows what.</summary>
    Lost,
}
