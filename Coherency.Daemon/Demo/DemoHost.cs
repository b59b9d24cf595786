using System.Diagnostics;
using Coherency.Core.Versioning;
using Coherency.Daemon.Configuration;
using Coherency.Daemon.Hosting;
using Coherency.Guest;
using Coherency.Guest.Coherence;
using Microsoft.Extensions.Logging.Abstractions;
using Spectre.Console;

namespace Coherency.Daemon.Demo;

/// <summary>Runs the demo: a directory of its own, the daemon on it, two user-space guests, and the steps.</summary>
internal static class DemoHost
{
    public static int Run()
    {
        DirectoryInfo work = Directory.CreateTempSubdirectory("coherencyd-demo-");
        try
        {
            return Run(work);
        }
        finally
        {
            work.Delete(recursive: true);
        }
    }

    private static int Run(DirectoryInfo work)
    {
        string shared = work.CreateSubdirectory("shared").FullName;
        ShareConfiguration share = new()
        {
            SharedDir = shared,
            Guests =
                [.. "ab".Select(name => new GuestConfiguration { Name = $"{name}", Socket = Path.Combine(work.FullName, $"{name}.sock") })],
        };
        using GuestServer server = new(new ServeConfiguration { Shares = [share] }, NullLoggerFactory.Instance);
        using VirtioFsGuest a = VirtioFsGuest.Connect(share.Guests[0].Socket);
        using VirtioFsGuest b = VirtioFsGuest.Connect(share.Guests[1].Socket);
        AnsiConsole.WriteLine($"One daemon shares {shared} with guests a and b (virtio-fs over vhost-user, no VM).");
        using VersionTableReader tableOfA = VersionTableReader.Open(ConfigurationFile.TablePathOf(share, share.Guests[0]));
        using VersionTableReader tableOfB = VersionTableReader.Open(ConfigurationFile.TablePathOf(share, share.Guests[1]));
        using CoherentCache cacheOfA = CoherentCache.Attach(a.Fuse, tableOfA);
        using CoherentCache cacheOfB = CoherentCache.Attach(b.Fuse, tableOfB);
        List<DemoResult> results = [];
        try
        {
            RunSteps(new DemoGuests(a.Files, b.Files, cacheOfA, cacheOfB, shared), server, results);
        }
        catch (DemoFailure wrong)
        {
            Console.Error.WriteLine($"coherencyd: the demo went wrong at '{DemoSteps.All[results.Count].Title}': {wrong.Message}");
            return ExitCodes.Failure;
        }

        Print(results);
        return ExitCodes.Success;
    }

    private static void RunSteps(DemoGuests guests, GuestServer server, List<DemoResult> results)
    {
        if (!AnsiConsole.Profile.Capabilities.Interactive || Console.IsOutputRedirected)
        {
            results.AddRange(DemoSteps.All.Select(step => Measure(step, guests, server)));
            return;
        }

        AnsiConsole.Progress().AutoClear(true).Start(progress =>
        {
            ProgressTask all = progress.AddTask("demo", maxValue: DemoSteps.All.Count);
            foreach (DemoStep step in DemoSteps.All)
            {
                all.Description = step.Title;
                results.Add(Measure(step, guests, server));
                all.Increment(1);
            }
        });
    }

    private static DemoResult Measure(DemoStep step, DemoGuests guests, GuestServer server)
    {
        long requestsBefore = CountRequests(server);
        Stopwatch watch = Stopwatch.StartNew();
        int count = step.Run(guests);
        return new DemoResult(step, count, CountRequests(server) - requestsBefore, watch.Elapsed);
    }

    private static long CountRequests(GuestServer server) => server.Endpoints.Sum(endpoint => endpoint.Session.Counters.Total);

    private static void Print(List<DemoResult> results)
    {
        Table table = new() { Border = TableBorder.Rounded };
        table.AddColumn(new TableColumn("what happened").NoWrap());
        foreach (string heading in (string[])["count", "requests", "ms", "us/request"])
        {
            table.AddColumn(new TableColumn(heading).RightAligned().NoWrap());
        }

        foreach (DemoResult result in results)
        {
            table.AddRow(
                result.Step.Title,
                $"{result.Count} {result.Step.Unit}",
                $"{result.Requests}",
                $"{result.Elapsed.TotalMilliseconds:f0}",
                result.Requests == 0 ? "-" : $"{result.Elapsed.TotalMicroseconds / result.Requests:f1}");
        }

        AnsiConsole.Write(table);
        AnsiConsole.WriteLine($"All {results.Count} steps were checked from the other guest or from the host.");
    }
}
