using System.Diagnostics;
using Coherency.Daemon.Reports;
using Google.Protobuf.WellKnownTypes;
using V1 = Coherency.Admin.V1;

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
            history.Sample(_data.CountRequests());
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
        int added = (int)(requests * (0.93 + (0.14 * _random.NextDouble())));
        _data.Change(guest, one =>
        {
            ScriptedData.AddRequests(one, "LOOKUP", added / 2, TimeSpan.FromMicroseconds(5));
            ScriptedData.AddRequests(one, "GETATTR", added / 3, TimeSpan.FromMicroseconds(2));
            ScriptedData.AddRequests(one, "WRITE", added / 6, TimeSpan.FromMicroseconds(300));
        });
    }

    private static V1.StaleEntry[] MakeStale()
    {
        V1.Actor git = new() { Host = new V1.HostProcess { Pid = 4711, Command = "git" } };
        V1.Actor web1 = new() { Guest = "web-1" };
        V1.Actor web2 = new() { Guest = "web-2" };
        const string Router = "src/server/router.cs.tmp";
        const string Handbook = "docs/handbook/of/the/release/manager/chapter-12-what-to-do-on-fridays.md";
        V1.StaleEntry[] entries =
        [
            Entry("web-1", "src/server/router.cs", V1.EntryKind.Dentry, "RENAME2", web2, 3, Router),
            Entry("web-1", "src/server", V1.EntryKind.Directory, "RENAME2", web2, 3, Router),
            Entry("web-2", ".git/index", V1.EntryKind.Attributes, "HOST_MODIFY", git, 41, ".git/index"),
            Entry("web-2", "config/current", V1.EntryKind.Symlink, "SETATTR", web1, 95, "logs/access.log"),
            Entry("build", "obj/project.assets.json", V1.EntryKind.NegativeDentry, "HOST_CREATE", git, 1, "obj/project.assets.json"),
            Entry("web-2", Handbook, V1.EntryKind.Attributes, "", null, 7 * 3600, ""),
        ];
        entries[3].FalseSharing = true;
        return entries;
    }

    private static V1.StaleEntry Entry(
        string guest, string path, V1.EntryKind kind, string operation, V1.Actor? actor, int seconds, string changed) =>
        ScriptedData.Entry(guest, path, actor, entry =>
        {
            entry.Kind = kind;
            entry.Since = Timestamp.FromDateTimeOffset(DateTimeOffset.UtcNow.AddSeconds(-seconds));
            entry.Cause = new V1.Cause { Operation = operation, Actor = actor, At = entry.Since, Path = changed };
        });
}
