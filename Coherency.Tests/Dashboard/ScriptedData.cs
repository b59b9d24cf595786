using Coherency.Daemon.Reports;
using Coherency.Host.Server.Statistics;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using V1 = Coherency.Admin.V1;

namespace Coherency.Tests.Dashboard;

/// <summary>A daemon that a test makes up: what it assigns, the page shows at its next question.</summary>
internal sealed class ScriptedData : IDaemonState
{
    public const int Slots = 1 << 18;

    /// <summary>A real table begins with any version too.</summary>
    private const ulong FirstVersion = 7_453_822;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, ulong[]> _versions = [];

    /// <summary>Replaced as a whole, never changed.</summary>
    public IReadOnlyList<V1.Guest> Guests
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
        Guest("web-1", guest =>
        {
            guest.Requests = 1_204_311;
            guest.HeldEntries = 48_211;
            guest.HitRatio = 0.9973;
        }),
        Guest("web-2", guest =>
        {
            guest.Requests = 903_127;
            guest.HeldEntries = 47_902;
        }),
        Guest("build", guest =>
        {
            guest.Requests = 7_310_442;
            guest.HeldEntries = 112_480;
            guest.Cache = V1.CacheMode.Auto;
            WithoutTable(guest);
        }),
        Guest("spare", guest =>
        {
            guest.State = V1.GuestState.Listening;
            guest.FuseVersion = "";
            guest.ConnectedAt = null;
            guest.HeartbeatAge = null;
            guest.Coherent = false;
        }),
    ];

    public IReadOnlyList<V1.Share> Shares { get; set; } =
    [
        new()
        {
            Directory = "/srv/code",
            Tag = "code",
            HostWatch = V1.HostWatch.Fanotify,
            WatchDelayMedian = Duration.FromTimeSpan(TimeSpan.FromMicroseconds(7)),
            WatchDelayP99 = Duration.FromTimeSpan(TimeSpan.FromMicroseconds(46)),
            HostChanges = 18_204,
            Inodes = 208_593,
            Descriptors = 1_204,
        },
    ];

    public IReadOnlyList<V1.StaleEntry> Stale { get; set; } = [];

    /// <summary>As a daemon that does not record what guests hold.</summary>
    public bool RefusesStale { get; set; }

    public static V1.Guest Guest(string name, Action<V1.Guest>? change = null)
    {
        V1.Guest guest = new()
        {
            Name = name,
            Kind = V1.GuestKind.Vm,
            State = V1.GuestState.Mounted,
            Share = "/srv/code",
            Socket = $"/run/vm/{name}.sock",
            Cache = V1.CacheMode.Coherent,
            Coherent = true,
            FuseVersion = "7.38",
            HeartbeatAge = Duration.FromTimeSpan(TimeSpan.FromMilliseconds(42)),
            HeartbeatBound = Duration.FromTimeSpan(TimeSpan.FromSeconds(1)),
            ConnectedAt = Timestamp.FromDateTimeOffset(DateTimeOffset.UtcNow.AddMinutes(-754)),
        };
        change?.Invoke(guest);
        return guest;
    }

    public static void WithoutTable(V1.Guest guest)
    {
        guest.Coherent = false;
        guest.HeartbeatAge = null;
        guest.HeartbeatBound = null;
    }

    public static V1.StaleEntry Entry(string guest, string path, V1.Actor? actor, Action<V1.StaleEntry>? change = null)
    {
        Timestamp at = Timestamp.FromDateTimeOffset(DateTimeOffset.UtcNow.AddSeconds(-75));
        V1.StaleEntry entry = new()
        {
            Guest = guest,
            Path = path,
            NodeId = 1,
            Kind = V1.EntryKind.Attributes,
            Since = at,
            Cause = new V1.Cause { Operation = "SETATTR", Actor = actor, At = at, Path = path },
        };
        change?.Invoke(entry);
        return entry;
    }

    /// <summary>Adds requests of an operation that took so long each, of which some failed.</summary>
    public static void AddRequests(
        V1.Guest guest, string operation, int requests, TimeSpan each, params IEnumerable<(string Error, int Count)> errors)
    {
        V1.Operation? added = guest.Operations.FirstOrDefault(one => one.Name == operation);
        if (added is null)
        {
            added = new V1.Operation { Name = operation, Durations = { new ulong[DurationBuckets.Count] } };
            guest.Operations.Add(added);
        }

        added.Requests += (ulong)requests;
        added.Durations[DurationBuckets.IndexOf((long)each.TotalNanoseconds)] += (ulong)requests;
        added.TotalSeconds += requests * each.TotalSeconds;
        guest.Requests += (ulong)requests;
        foreach ((string error, int count) in errors)
        {
            added.Errors.Add(new V1.OperationError { Name = error, Count = (ulong)count });
            guest.FailedRequests += (ulong)count;
        }
    }

    public void Change(string guest, Action<V1.Guest> change)
    {
        lock (_lock)
        {
            Guests = [.. Guests.Select(one => one.Name == guest ? Changed(one, change) : one)];
        }
    }

    /// <summary>Moves one slot so many times.</summary>
    public void Move(string guest, int slot, int times)
    {
        lock (_lock)
        {
            VersionsOf(guest)[slot] += (ulong)times;
        }
    }

    public V1.ListSharesResponse ListShares() => new() { Shares = { Shares } };

    public Task<V1.ListGuestsResponse> ListGuestsAsync(V1.ListGuestsRequest request, CancellationToken cancellation)
    {
        V1.ListGuestsResponse response = new() { At = Now() };
        response.DurationBoundsSeconds.AddRange(DurationBuckets.Bounds.ToArray().Select(bound => bound / 1e9));
        response.Guests.AddRange(
            Guests.Select(guest => Changed(guest, one => one.StaleEntries = (ulong)Stale.Count(entry => entry.Guest == one.Name))));
        return Task.FromResult(response);
    }

    public IEnumerable<KeyValuePair<string, long>> CountRequests() =>
        Guests.Select(guest => KeyValuePair.Create(guest.Name, (long)guest.Requests));

    public Task<V1.GetTableResponse> GetTableAsync(V1.GetTableRequest request, CancellationToken cancellation)
    {
        V1.Guest? guest = Guests.FirstOrDefault(one => one.Name == request.Guest);
        if (guest?.HeartbeatBound is null || request.HeatBuckets > Slots)
        {
            throw Refuse(guest is null ? StatusCode.NotFound : StatusCode.InvalidArgument);
        }

        V1.GetTableResponse table = new()
        {
            Slots = Slots,
            MovesPerSecond = 214.3,
            SlotsInChange = 2,
            Epoch = 3,
            HeartbeatAge = guest.HeartbeatAge ?? new Duration(),
            HeartbeatBound = guest.HeartbeatBound,
            OccupiedSlots = 71_233,
            HeldEntries = 98_420,
            ExpectedFalseStalePerSecond = 0.4,
        };
        lock (_lock)
        {
            ulong[] versions = VersionsOf(request.Guest);
            table.Moves = Sum(versions) - (Slots * FirstVersion);
            table.Heat.AddRange(versions.Chunk(Slots / (int)request.HeatBuckets).Select(Sum));
        }

        return Task.FromResult(table);
    }

    public Task<V1.ListStaleEntriesResponse> ListStaleAsync(V1.ListStaleEntriesRequest request, CancellationToken cancellation)
    {
        int first = 0;
        if (request.Guest.Length > 0 && Guests.All(one => one.Name != request.Guest))
        {
            throw Refuse(StatusCode.NotFound);
        }

        if (RefusesStale || (request.PageToken.Length > 0 && !int.TryParse(request.PageToken, out first)))
        {
            throw Refuse(StatusCode.InvalidArgument);
        }

        V1.StaleEntry[] all = [.. Stale.Where(entry => request.Guest.Length == 0 || entry.Guest == request.Guest)];
        int next = first + (int)request.PageSize;
        V1.ListStaleEntriesResponse response = new() { NextPageToken = next < all.Length ? $"{next}" : "", At = Now() };
        response.Entries.AddRange(all.Skip(first).Take((int)request.PageSize));
        return Task.FromResult(response);
    }

    private static V1.Guest Changed(V1.Guest guest, Action<V1.Guest> change)
    {
        V1.Guest changed = guest.Clone();
        change(changed);
        return changed;
    }

    private static Timestamp Now() => Timestamp.FromDateTime(DateTime.UtcNow);

    private static RpcException Refuse(StatusCode code) => new(new Status(code, "this is refused"));

    private static ulong Sum(ulong[] versions) => versions.Aggregate(0UL, (sum, version) => sum + version);

    private ulong[] VersionsOf(string guest)
    {
        if (!_versions.TryGetValue(guest, out ulong[]? versions))
        {
            _versions[guest] = versions = [.. Enumerable.Repeat(FirstVersion, Slots)];
        }

        return versions;
    }
}
