using Coherency.Core.Versioning;

namespace Coherency.Tests.Histories;

/// <summary>When a <see cref="SimpleCache"/> believes what it was once answered.</summary>
internal abstract class CachingRule
{
    /// <summary>What to remember from before a request.</summary>
    public virtual object? BeforeRequest(SlotKey slot) => null;

    /// <summary>What to keep with the answer; null when it must not be cached.</summary>
    /// <param name="before">Of <see cref="BeforeRequest"/>.</param>
    /// <param name="validSeconds">For as long the daemon says that it may be believed.</param>
    public abstract object? AfterReply(SlotKey slot, object? before, ulong validSeconds);

    /// <param name="kept">Of <see cref="AfterReply"/>.</param>
    public abstract bool MayUse(SlotKey slot, object kept);
}

/// <summary>No cache at all.</summary>
internal sealed class AskAlways : CachingRule
{
    public override object? AfterReply(SlotKey slot, object? before, ulong validSeconds) => null;

    public override bool MayUse(SlotKey slot, object kept) => false;
}

/// <summary>What every FUSE client does that knows of no table.</summary>
internal sealed class BelieveTimeouts : CachingRule
{
    public override object? AfterReply(SlotKey slot, object? before, ulong validSeconds) =>
        validSeconds == 0 ? null : Environment.TickCount64 + (long)validSeconds * 1000;

    public override bool MayUse(SlotKey slot, object kept) => Environment.TickCount64 < (long)kept;
}

/// <summary>The rule of docs/version-table.md: a sample from before the request.</summary>
internal sealed class SampleBefore(VersionTableReader table) : CachingRule
{
    public override object? BeforeRequest(SlotKey slot) => table.Sample(slot);

    public override object? AfterReply(SlotKey slot, object? before, ulong validSeconds) =>
        before is VersionSample { Counts: true } ? before : null;

    public override bool MayUse(SlotKey slot, object kept) => table.IsCurrent(slot, (VersionSample)kept);
}

/// <summary>The rule, broken: a sample from after the reply, which a change in between has moved already.</summary>
internal sealed class SampleAfter(VersionTableReader table) : CachingRule
{
    public override object? AfterReply(SlotKey slot, object? before, ulong validSeconds) =>
        table.Sample(slot) is { Counts: true } sample ? sample : null;

    public override bool MayUse(SlotKey slot, object kept) => table.IsCurrent(slot, (VersionSample)kept);
}
