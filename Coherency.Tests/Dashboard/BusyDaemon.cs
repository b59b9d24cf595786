using System.Diagnostics;
using Coherency.Daemon.Dashboard;

namespace Coherency.Tests.Dashboard;

/// <summary>A made-up daemon with five minutes behind it, whose guests work on.</summary>
internal sealed class BusyDaemon : IAsyncDisposable
{
    private const int Seed = 7;
    private const int FilesPerSecond = 34;

    /// <summary>Short against the samples' interval, or the two would beat against each other.</summary>
    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(50);

    private static readonly int[] BusySlots = [12_411, 71_902, 90_233, 145_000, 201_777, 240_123];

    private readonly Random _random = new(Seed);
    private readonly ScriptedData _data = new() { Stale = MakeStale() };
    private readonly Timer _timer;
    private double _second;
    private long _lastWork;

    private BusyDaemon(ShiftedTime time, RequestHistory history)
    {
        for (int i = 0; i <= RequestHistory.Samples; i++)
        {
            Work(seconds: 1);
            time.Advance(RequestHistory.Interval);
            history.Sample(_data.Guests);
        }

        _lastWork = Stopwatch.GetTimestamp();
        _timer = new Timer(_ => CatchUp(), null, Step, Step);
    }

    public ServedDashboard Served { get; private set; } = null!;

    public static async Task<BusyDaemon> StartAsync()
    {
        ShiftedTime time = new();
        RequestHistory history = new(time);
        BusyDaemon daemon = new(time, history);
        daemon.Served = await ServedDashboard.StartAsync(daemon._data, history);
        return daemon;
    }

    public async ValueTask DisposeAsync()
    {
        await _timer.DisposeAsync();
        await Served.DisposeAsync();
    }

    /// <summary>Works as long as has passed: on a busy machine a timer is late, and then it skips.</summary>
    private void CatchUp()
    {
        lock (_random)
        {
            double seconds = Stopwatch.GetElapsedTime(_lastWork).TotalSeconds;
            _lastWork = Stopwatch.GetTimestamp();
            Work(seconds);
        }
    }

    /// <summary>Smooth loads with bursts, a few directories that change all the time, some files here and there.</summary>
    private void Work(double seconds)
    {
        _second += seconds;
        AddRequests("web-1", seconds * (900 + (300 * Math.Sin(_second / 21))));
        AddRequests("web-2", seconds * (620 + (180 * Math.Sin((_second / 17) + 2))));
        AddRequests("build", seconds * (_second % 110 < 45 ? 3_100 + (400 * Math.Sin(_second / 6)) : 140));
        for (int i = 0; i < FilesPerSecond * seconds; i++)
        {
            _data.Move("web-1", _random.Next(ScriptedData.Slots), _random.Next(1, 4));
        }

        for (int i = 0; i < BusySlots.Length; i++)
        {
            if (_random.NextDouble() < seconds)
            {
                _data.Move("web-1", BusySlots[i], 3 * (i + 1));
            }
        }
    }

    private void AddRequests(string guest, double requests)
    {
        long added = (long)(requests * (0.93 + (0.14 * _random.NextDouble())));
        _data.Change(guest, one => one with { Requests = one.Requests + added });
    }

    private static DashboardStaleEntry[] MakeStale()
    {
        DateTimeOffset now = DateTimeOffset.UtcNow;
        DashboardActor git = new(DashboardActorKind.Host, "git", 4711);
        DashboardActor web2 = new(DashboardActorKind.Guest, "web-2");
        DashboardStaleEntry[] entries =
        [
            ScriptedData.Entry("web-1", "src/server/router.cs", web2) with { Since = now.AddSeconds(-3), Kind = DashboardEntryKind.Dentry, Cause = new("RENAME2", web2, now.AddSeconds(-3), "src/server/router.cs.tmp") },
            ScriptedData.Entry("web-1", "src/server", web2) with { Since = now.AddSeconds(-3), Kind = DashboardEntryKind.Directory, Cause = new("RENAME2", web2, now.AddSeconds(-3), "src/server/router.cs.tmp") },
            ScriptedData.Entry("web-2", ".git/index", git) with { Since = now.AddSeconds(-41), Cause = new("HOST_MODIFY", git, now.AddSeconds(-41), ".git/index") },
            ScriptedData.Entry("web-2", "config/current", web2) with { Since = now.AddSeconds(-95), Kind = DashboardEntryKind.Symlink, FalseSharing = true, Cause = new("SETATTR", new(DashboardActorKind.Guest, "web-1"), now.AddSeconds(-95), "logs/access.log") },
            ScriptedData.Entry("build", "obj/project.assets.json", git) with { Since = now.AddSeconds(-1), Kind = DashboardEntryKind.NegativeDentry, Cause = new("HOST_CREATE", git, now.AddSeconds(-1), "obj/project.assets.json") },
            ScriptedData.Entry("web-2", "docs/handbook/of/the/release/manager/chapter-12-what-to-do-on-fridays.md", git) with { Since = now.AddHours(-7), Cause = new("", new(DashboardActorKind.Unknown), now.AddHours(-7)) },
        ];
        return [.. entries.Select((entry, index) => entry with { NodeId = $"{index + 2}" })];
    }
}
