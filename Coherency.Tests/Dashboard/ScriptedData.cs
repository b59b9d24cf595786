using Coherency.Daemon.Dashboard;
using Coherency.Host.Coherence.HostWatching;
using Coherency.Host.Server;

namespace Coherency.Tests.Dashboard;

/// <summary>A daemon that a test makes up: what it assigns, the page shows at its next question.</summary>
internal sealed class ScriptedData : IDashboardData
{
    public const int Slots = 1 << 18;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, long[]> _moves = [];

    /// <summary>Replaced as a whole, never changed.</summary>
    public IReadOnlyList<DashboardGuest> Guests
    {
        get;
        set
        {
            lock (_lock)
            {
                field = value;
            }
        }
    }
    =
    [
        Guest("web-1") with { Requests = 1_204_311, Inodes = 48_211, HitRatio = 0.9973 },
        Guest("web-2") with { Requests = 903_127, Inodes = 47_902 },
        Guest("build") with { Requests = 7_310_442, Coherent = false, HasTable = false, Cache = CacheMode.Auto, HeartbeatAgeMs = null, Inodes = 112_480 },
        Guest("spare") with { State = DashboardGuestState.Listening, Coherent = false, FuseVersion = "", ConnectedAt = null, HeartbeatAgeMs = null },
    ];

    public IReadOnlyList<DashboardShare> Shares { get; set; } =
    [
        new()
        {
            Directory = "/srv/code",
            Tag = "code",
            HostWatch = WatchState.Fanotify,
            DelayMedianMs = 0.007,
            DelayP99Ms = 0.046,
            HostChanges = 18_204,
            Inodes = 208_593,
            Descriptors = 1_204,
        },
    ];

    public IReadOnlyList<DashboardStaleEntry> Stale { get; set; } = [];

    public static DashboardGuest Guest(string name) => new()
    {
        Name = name,
        Kind = DashboardGuestKind.Vm,
        State = DashboardGuestState.Mounted,
        Share = "/srv/code",
        Socket = $"/run/vm/{name}.sock",
        Cache = CacheMode.Coherent,
        Coherent = true,
        HasTable = true,
        FuseVersion = "7.38",
        Requests = 0,
        Inodes = 0,
        HeartbeatAgeMs = 42,
        HeartbeatBoundMs = 1000,
        ConnectedAt = DateTimeOffset.UtcNow.AddMinutes(-754),
    };

    public static DashboardStaleEntry Entry(string guest, string path, DashboardActor actor) => new()
    {
        Guest = guest,
        Path = path,
        NodeId = "1",
        Kind = DashboardEntryKind.Attributes,
        Since = DateTimeOffset.UtcNow.AddSeconds(-75),
        Cause = new DashboardCause("SETATTR", actor, DateTimeOffset.UtcNow.AddSeconds(-75), path),
    };

    public void Change(string guest, Func<DashboardGuest, DashboardGuest> change)
    {
        lock (_lock)
        {
            Guests = [.. Guests.Select(one => one.Name == guest ? change(one) : one)];
        }
    }

    /// <summary>Moves one slot so many times.</summary>
    public void Move(string guest, int slot, int times)
    {
        lock (_lock)
        {
            MovesOf(guest)[slot] += times;
        }
    }

    public IReadOnlyList<DashboardShare> ListShares() => Shares;

    public Task<IReadOnlyList<DashboardGuest>> ListGuestsAsync(bool countStale, CancellationToken cancellation) => Task.FromResult<IReadOnlyList<DashboardGuest>>(
        countStale ? [.. Guests.Select(guest => guest with { StaleEntries = Stale.Count(entry => entry.Guest == guest.Name) })] : Guests);

    public Task<DashboardTable?> FindTableAsync(string guest, int buckets, CancellationToken cancellation) => Task.FromResult(FindTable(guest, buckets));

    public Task<DashboardStalePage?> FindStaleAsync(string? guest, string? after, int most, CancellationToken cancellation) =>
        Task.FromResult(FindStale(guest, after, most));

    private DashboardTable? FindTable(string guest, int buckets)
    {
        if (Guests.FirstOrDefault(one => one.Name == guest) is not { HasTable: true } known)
        {
            return null;
        }

        long[] heat;
        lock (_lock)
        {
            heat = [.. MovesOf(guest).Chunk(Slots / buckets).Select(run => run.Sum())];
        }

        return new DashboardTable
        {
            Guest = guest,
            Slots = Slots,
            Moves = heat.Sum(),
            MovesPerSecond = 214.3,
            SlotsInChange = 2,
            Epoch = "3",
            HeartbeatAgeMs = known.HeartbeatAgeMs ?? 0,
            HeartbeatBoundMs = known.HeartbeatBoundMs ?? 0,
            OccupiedSlots = 71_233,
            HeldEntries = 98_420,
            ExpectedFalseStalePerSecond = 0.4,
            Heat = heat,
        };
    }

    private DashboardStalePage? FindStale(string? guest, string? after, int most)
    {
        int first = 0;
        if ((guest is not null && Guests.All(one => one.Name != guest)) || (after is not null && !int.TryParse(after, out first)))
        {
            return null;
        }

        DashboardStaleEntry[] all = [.. Stale.Where(entry => guest is null || entry.Guest == guest)];
        string next = first + most < all.Length ? $"{first + most}" : "";
        return new DashboardStalePage([.. all.Skip(first).Take(most)], next, DateTimeOffset.UtcNow);
    }

    private long[] MovesOf(string guest)
    {
        if (!_moves.TryGetValue(guest, out long[]? moves))
        {
            _moves[guest] = moves = new long[Slots];
        }

        return moves;
    }
}
