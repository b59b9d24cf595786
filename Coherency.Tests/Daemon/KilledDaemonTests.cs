using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Versioning;
using Coherency.Guest;
using Coherency.Guest.Coherence;
using Coherency.Guest.Fuse;
using Coherency.Guest.VhostUser;
using Xunit.Abstractions;

namespace Coherency.Tests.Daemon;

/// <summary>
/// The daemon is killed with SIGKILL while guests change things, and started again on the same tables, which readers still
/// have mapped: nothing sampled before is believed, and nothing is stale afterwards.
/// </summary>
[Trait("Category", "Slow")]
[Collection(TimedTests.Name)]
public sealed class KilledDaemonTests(ITestOutputHelper output) : IDisposable
{
    private const int Names = 20;

    private static readonly int Kills = Soak.Count(test: 15, soak: 100);

    /// <summary>Most kills until one has interrupted a change.</summary>
    private static readonly int KillsMax = 20 * Kills;

    private readonly DirectoryInfo _work = Directory.CreateTempSubdirectory("coherency-killed-");

    public void Dispose() => _work.Delete(recursive: true);

    [Fact]
    public void Killed_in_the_middle_of_changes_and_started_again()
    {
        string share = _work.CreateSubdirectory("share").FullName;
        string[] sockets = [.. "ab".Select(name => Path.Combine(_work.FullName, $"{name}.sock"))];
        string[] arguments = ["serve", "--shared-dir", share, "--guest", $"a={sockets[0]}", "--guest", $"b={sockets[1]}"];
        List<VersionTableReader> mapped = [];
        int kills = 0;
        int interrupted = 0;
        int looks = 0;
        try
        {
            for (; kills < Kills || (interrupted == 0 && kills < KillsMax); kills++)
            {
                using RunningDaemon daemon = RunningDaemon.Start(arguments);
                if (mapped.Count == 0)
                {
                    mapped.AddRange(sockets.Select(socket => VersionTableReader.Open(socket + ".table")));
                }

                using VirtioFsGuest a = VirtioFsGuest.Connect(sockets[0]);
                using VirtioFsGuest b = VirtioFsGuest.Connect(sockets[1]);
                // The table is the one that was mapped before the daemon was killed the first time.
                using CoherentCache cacheOfA = CoherentCache.Attach(a.Fuse, mapped[0]);
                using CoherentCache cacheOfB = CoherentCache.Attach(b.Fuse, mapped[1]);
                looks += CheckAgainstHost(cacheOfA, cacheOfB, share);

                Thread[] storms = [Storm(cacheOfA, kills), Storm(cacheOfB, kills + 1000)];
                Thread.Sleep(30 + (kills * 7 % 50));
                List<(VersionTableReader Table, SlotKey Slot, VersionSample Sample)> samples = SampleEverything(mapped);
                daemon.Kill();
                interrupted += mapped.Sum(CountUnderWay);
                using RunningDaemon next = RunningDaemon.Start(arguments);
                Assert.All(samples, one => Assert.False(one.Table.IsCurrent(one.Slot, one.Sample)));
                Assert.Equal(0, mapped.Sum(CountUnderWay));
                foreach (Thread storm in storms)
                {
                    storm.Join();
                }
            }
        }
        finally
        {
            mapped.ForEach(table => table.Dispose());
        }

        output.WriteLine($"killed {kills} times, {interrupted} slots in the middle of a change; {looks} looks afterwards, none stale");
        Assert.True(interrupted > 0, "no change was ever interrupted");
    }

    /// <summary>Every name by both guests, against the host, twice: once asked for, once from the cache. Then a change by one.</summary>
    private static int CheckAgainstHost(CoherentCache a, CoherentCache b, string share)
    {
        int looks = 0;
        foreach (CoherentCache cache in (CoherentCache[])[a, b, a, b])
        {
            for (int i = 0; i < Names; i++, looks++)
            {
                NodeId? node = cache.Lookup(NodeId.Root, $"n{i}");
                FileInfo truth = new(Path.Combine(share, $"n{i}"));
                Assert.Equal(truth.Exists, node is not null);
                if (node is { } found)
                {
                    Assert.Equal((ulong)truth.Length, cache.GetAttributes(found).size);
                }
            }
        }

        NodeId made = b.CreateFile(NodeId.Root, "probe");
        Assert.Equal(made, a.Lookup(NodeId.Root, "probe"));
        b.DeleteFile(NodeId.Root, "probe");
        Assert.Null(a.Lookup(NodeId.Root, "probe"));
        return looks + 2;
    }

    /// <summary>Changes names and sizes until the daemon is gone.</summary>
    private static Thread Storm(CoherentCache cache, int seed)
    {
        Thread thread = new(() =>
        {
            Random random = new(seed);
            while (true)
            {
                try
                {
                    ChangeSomething(cache, random);
                }
                catch (FuseException)
                {
                    // The other guest was faster with this name.
                }
                catch (Exception gone) when (gone is IOException or ObjectDisposedException)
                {
                    return;
                }
            }
        });
        thread.Start();
        return thread;
    }

    private static void ChangeSomething(CoherentCache cache, Random random)
    {
        string name = $"n{random.Next(Names)}";
        switch (random.Next(4))
        {
            case 0:
                cache.CreateFile(NodeId.Root, name);
                break;
            case 1:
                cache.DeleteFile(NodeId.Root, name);
                break;
            case 2:
                cache.Rename(NodeId.Root, name, NodeId.Root, $"n{random.Next(Names)}");
                break;
            default:
                if (cache.Lookup(NodeId.Root, name) is { } node)
                {
                    cache.SetAttributes(
                        node, new fuse_setattr_in { valid = (uint)FuseSetAttrValid.Size, size = (ulong)random.Next(10_000) });
                }

                break;
        }
    }

    private static List<(VersionTableReader Table, SlotKey Slot, VersionSample Sample)> SampleEverything(List<VersionTableReader> tables) =>
        [.. from table in tables
            from i in Enumerable.Range(0, Names)
            let slot = SlotKey.Name(table.RootKey, System.Text.Encoding.UTF8.GetBytes($"n{i}"))
            select (table, slot, table.Sample(slot))];

    private static int CountUnderWay(VersionTableReader table) =>
        Enumerable.Range(0, table.SlotCount).Count(i => !table.Sample(new SlotKey((ulong)i)).Counts);
}
