namespace Coherency.Daemon.Dashboard;

/// <summary>What a guest caches, as in <c>admin.proto</c>.</summary>
public enum DashboardEntryKind
{
    Dentry,
    NegativeDentry,
    Attributes,
    Symlink,
    Directory,
}

/// <summary>Who made a change.</summary>
public enum DashboardActorKind
{
    Unknown,
    Guest,
    Host,
    Administration,

    /// <summary>The daemon itself, for the sake of its promise.</summary>
    Daemon,
}

/// <param name="Name">Of the guest, of the host's program, who asked for it of the administration, or why the daemon did it; empty when not known.</param>
/// <param name="Pid">Of the host's program; 0 when not known.</param>
public sealed record DashboardActor(DashboardActorKind Kind, string Name = "", int Pid = 0);

/// <summary>The change that made an entry stale.</summary>
/// <param name="Operation">As "RENAME2", "HOST_MODIFY" or "EPOCH"; empty when it is no longer known.</param>
/// <param name="Path">What was changed, relative to the share; empty when it was no name.</param>
public sealed record DashboardCause(string Operation, DashboardActor Actor, DateTimeOffset At, string Path = "");

/// <summary>Something that a guest holds and that is no longer true.</summary>
public sealed record DashboardStaleEntry
{
    public required string Guest { get; init; }

    /// <summary>Relative to the share, without a slash at the front; empty for its root.</summary>
    public required string Path { get; init; }

    /// <summary>Text, for JavaScript's numbers do not hold it.</summary>
    public required string NodeId { get; init; }

    public required DashboardEntryKind Kind { get; init; }

    /// <summary>When it went stale; of a change that is no longer known, the earliest that is.</summary>
    public required DateTimeOffset Since { get; init; }

    public required DashboardCause Cause { get; init; }

    /// <summary>The change was of something else that shares the slot.</summary>
    public bool FalseSharing { get; init; }
}

/// <summary>The answer of <c>/api/stale</c>.</summary>
/// <param name="Next">What the next page comes after; empty at the end.</param>
/// <param name="Now">The daemon's clock, for ages.</param>
public sealed record DashboardStalePage(IReadOnlyList<DashboardStaleEntry> Entries, string Next, DateTimeOffset Now);
