using Coherency.Bench.Contenders;
using Coherency.Bench.Measurement;
using Coherency.Bench.Results;
using Coherency.Bench.Workloads;
using Coherency.Core.Fuse;
using Coherency.Guest.Fuse;

namespace Coherency.Tests.Bench;

/// <summary>Our own daemon on a tree in memory, with two guests of two queues.</summary>
public sealed class WorkloadFixture : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateDirectory($"/dev/shm/bench-w-{Environment.ProcessId}");

    public WorkloadFixture()
    {
        Topology topology = new(Queues: 2, Guests: 2);
        BenchTree.LayOut(Directory.CreateDirectory(Share).FullName);
        ContenderSet contenders = ContenderList.Build(coherencydPath: null, virtiofsdPath: null, added: [], without: [], others: []);
        Contender ours = contenders.Present.First(contender => contender.Name == "coherencyd auto");
        Session = new ContenderSession(ours, topology, Share, _folder.FullName, slots: 16, Settings.WaitOf(topology));
    }

    internal static BenchSettings Settings { get; } = new(Seconds: 0.02, Rounds: 1, SpinMicroseconds: 0);

    internal ContenderSession Session { get; }

    internal string Share => Path.Combine(_folder.FullName, "share");

    public void Dispose()
    {
        Session.Dispose();
        _folder.Delete(recursive: true);
    }
}

/// <summary>
/// Each scenario runs for a moment against our own daemon, by two guests at the same time, and sends the requests that it says.
/// </summary>
public sealed class WorkloadTests(WorkloadFixture fixture) : IClassFixture<WorkloadFixture>
{
    public static TheoryData<string, double> RequestsOfOperations => new()
    {
        { "getattr", 1 },
        { "lookup", 1 },
        { "lookup-absent", 1 },
        { "lookup-cold", 1 },
        { "readlink", 1 },
        { "setattr", 1 },
        { "getxattr", 1 },
        { "statfs", 1 },
        { "open", 2 },
        { "open-read", 3 },
        { "create-unlink", 3 },
        { "mkdir-rmdir", 2 },
        { "rename", 1 },
        { "link-unlink", 2 },

        // 1,002 entries of 40 bytes in 32 KiB each, and one that finds the end; with attributes they have 168 bytes.
        { "readdir", 3 },
        { "readdirplus", 7 },
        { "stat-storm", 3 },

        // LOOKUP, OPENDIR, READDIRPLUS with entries and without, RELEASEDIR, LOOKUP that misses, and GETATTR of 20 files.
        { "git-walk", 26 },

        // 0 to 3 misses for each of 8 headers; LOOKUP, OPEN, READ, RELEASE of each; CREATE, WRITE, RELEASE, UNLINK.
        { "build", 12 + (8 * 4) + 4 },
        { "replace-storm", 8 },
        { "mail", 10 },
        { "read-4k", 1 },
        { "write-4k", 1 },
        { "seq-read", 1 },
        { "seq-write", 1 },
        { "fsync", 1 },
    };

    [Fact]
    public void Every_scenario_is_tested() =>
        Assert.Equal(DaemonScenario.All.Select(scenario => scenario.Name), RequestsOfOperations.Select(row => (string)row[0]));

    [Theory]
    [MemberData(nameof(RequestsOfOperations))]
    public void A_scenario_sends_so_many_requests_for_an_operation(string name, double requests)
    {
        InterleavedRun run = new(WorkloadFixture.Settings, CancellationToken.None);
        IReadOnlyList<Observation> found = run.Measure(DaemonScenario.Find(name), depth: 3, [fixture.Session], rounds: 1);
        Assert.All(found, observation => Assert.NotEmpty(observation.Samples));
        Assert.Equal(requests, Assert.Single(found.Single(observation => observation.Quantity == Quantity.Requests).Samples));
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(fixture.Share, "scratch")));
    }

    /// <summary>What a contender refuses is said in place of its figures, and its queue still works afterwards.</summary>
    [Fact]
    public void A_refusal_is_an_observation_without_samples()
    {
        InterleavedRun run = new(WorkloadFixture.Settings, CancellationToken.None);
        DaemonScenario refused = DaemonScenario.Find("lookup") with
        {
            Program = UnlinkNothing,
        };
        Observation observation = Assert.Single(run.Measure(refused, depth: 4, [fixture.Session], rounds: 1));
        Assert.Empty(observation.Samples);
        Assert.Equal("it answered Unlink: ENOENT", observation.Remark);
        Assert.All(run.Measure(DaemonScenario.Find("lookup"), depth: 4, [fixture.Session], rounds: 1), row => Assert.NotEmpty(row.Samples));
    }

    private static IEnumerator<RequestSlot?> UnlinkNothing(WorkloadContext context, Lane lane)
    {
        while (true)
        {
            yield return null;
            yield return lane.Slot.WriteUnlink(NodeId.Root, "nothing"u8);
        }
    }
}
