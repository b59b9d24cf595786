using Coherency.Host.Server;

namespace Coherency.Daemon.Dashboard;

/// <summary>How a guest reaches the daemon.</summary>
public enum DashboardGuestKind
{
    /// <summary>A virtual machine, over vhost-user.</summary>
    Vm,

    /// <summary>A mount of the host, over /dev/fuse.</summary>
    Mount,
}

/// <summary>What a guest is doing, as in <c>admin.proto</c>.</summary>
public enum DashboardGuestState
{
    Listening,
    Connected,
    Mounted,
    Draining,
    Drained,
}

/// <summary>One guest, or one mount of the host.</summary>
public sealed record DashboardGuest
{
    public required string Name { get; init; }

    public required DashboardGuestKind Kind { get; init; }

    public required DashboardGuestState State { get; init; }

    /// <summary>The directory of its share.</summary>
    public required string Share { get; init; }

    /// <summary>Where its VMM connects, or where it is mounted.</summary>
    public required string Socket { get; init; }

    public required CacheMode Cache { get; init; }

    /// <summary>It consults its version table.</summary>
    public required bool Coherent { get; init; }

    public required bool HasTable { get; init; }

    /// <summary>As "7.38"; empty before the guest has mounted.</summary>
    public string FuseVersion { get; init; } = "";

    /// <summary>Since the daemon started.</summary>
    public required long Requests { get; init; }

    /// <summary>Share of answers that came from the guest's cache, 0 to 1; null where the guest does not report it.</summary>
    public double? HitRatio { get; init; }

    /// <summary>Inodes that it has looked up and not forgotten.</summary>
    public required long Inodes { get; init; }

    /// <summary>Null when they were not counted.</summary>
    public long? StaleEntries { get; init; }

    /// <summary>Since its table's heartbeat moved, in milliseconds; null without a table.</summary>
    public double? HeartbeatAgeMs { get; init; }

    /// <summary>The age from which the guest believes nothing.</summary>
    public double? HeartbeatBoundMs { get; init; }

    public DateTimeOffset? ConnectedAt { get; init; }
}

/// <summary>The answer of <c>/api/guests</c>.</summary>
public sealed record DashboardGuests(IReadOnlyList<DashboardGuest> Guests);
