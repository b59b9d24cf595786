using Coherency.Host.Coherence.Changes;

namespace Coherency.Host.Coherence.Holdings;

/// <summary>A change, as people want to read of it.</summary>
/// <param name="At">UTC; when it ended, of a program of the host when it was noticed.</param>
/// <param name="Path">What was changed, relative to the share; null when no guest was told a way to it.</param>
public sealed record ChangeCause(ChangeOperation Operation, ChangeActor Actor, DateTime At, string? Path)
{
    /// <summary>As "RENAME2", "HOST_MODIFY" or "EPOCH".</summary>
    public string OperationName => ChangeOperations.NameOf(Operation);
}

/// <summary>A change of a group.</summary>
/// <param name="Sequence">Counts them without gaps.</param>
/// <param name="Keys">Of the slots that it moved; none of a move of an epoch.</param>
public sealed record ChangeReport(long Sequence, ChangeCause Cause, IReadOnlyList<ulong> Keys);
