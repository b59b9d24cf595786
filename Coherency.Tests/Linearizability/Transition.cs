namespace Coherency.Tests.Linearizability;

/// <summary>What an operation did to one object, as its result tells: a condition on the state, and the state after it.</summary>
internal abstract record Transition
{
    /// <summary>Never changes the state, except that it may bind what was unknown.</summary>
    public abstract bool IsRead { get; }

    /// <summary>False when the operation could not have had its result in this state.</summary>
    public abstract bool TryApply(ObjectState before, out ObjectState after);
}
