using Coherency.Host.Coherence.HostWatching;

namespace Coherency.Daemon.Dashboard;

/// <summary>A shared directory, and how its changes on the host are noticed.</summary>
public sealed record DashboardShare
{
    /// <summary>As it was given.</summary>
    public required string Directory { get; init; }

    public required string Tag { get; init; }

    public required WatchState HostWatch { get; init; }

    public bool Readonly { get; init; }

    /// <summary>From a change on the host to the move of its slots, in milliseconds; null before there was one.</summary>
    public double? DelayMedianMs { get; init; }

    public double? DelayP99Ms { get; init; }

    /// <summary>Changes noticed since the daemon started.</summary>
    public long HostChanges { get; init; }

    /// <summary>How often the kernel lost events, and the epoch moved.</summary>
    public long EventsLost { get; init; }

    /// <summary>Inodes that any guest holds.</summary>
    public long Inodes { get; init; }

    /// <summary>Descriptors that the daemon holds for files of the share.</summary>
    public long Descriptors { get; init; }
}

/// <summary>The answer of <c>/api/shares</c>.</summary>
public sealed record DashboardShares(IReadOnlyList<DashboardShare> Shares);
