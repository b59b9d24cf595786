namespace Coherency.Host.Coherence.Changes;

/// <summary>What moved a slot in a view, from some change on.</summary>
public readonly struct SlotHistory
{
    /// <summary>Nothing is forgotten.</summary>
    public bool IsComplete { get; init; }

    /// <summary>How often the changes that are remembered have moved it, at most.</summary>
    public long Moves { get; init; }

    /// <summary>The first change of what the key stands for; without one, the first of something that has the same slot.</summary>
    public ChangeRecord? First { get; init; }

    /// <summary><see cref="First"/> is a change of what the key stands for.</summary>
    public bool IsOfKey { get; init; }
}
