using Coherency.Bench.Workloads;

namespace Coherency.Bench.Measurement;

/// <summary>
/// Lets a fresh daemon look up many files, and sees what it grew by and how long a LOOKUP takes among so many. A first directory
/// is looked up beforehand, so that code and buffers that come with the first requests are not counted.
/// </summary>
internal sealed class InodeProbe(ContenderSession session, LatencyRecorder recorder, BenchSettings settings)
{
    public const string MemoryScenario = "inodes";
    public const string LookupScenario = "lookup-known";

    /// <summary>Lets a daemon's own housekeeping settle before its memory is read.</summary>
    private static readonly TimeSpan Settle = TimeSpan.FromMilliseconds(200);

    private readonly FuseClient _fuse = session.Guests[0].Fuse;
    private readonly List<NodeId> _directories = [];
    private ProcessUsage _before;

    private long Known => (long)_directories.Count * InodeTree.FilesPerDirectory;

    /// <summary>Looks up the first directory and reads the memory that the daemon has then.</summary>
    public void Begin()
    {
        LookUpDirectory(0);
        _before = ReadSettled();
    }

    /// <summary>Looks up so many directories in all.</summary>
    /// <exception cref="FuseException">The daemon cannot keep so many inodes; the message says how many it had.</exception>
    public void LookUp(int directories, CancellationToken interrupted)
    {
        for (int i = _directories.Count; i < directories; i++)
        {
            interrupted.ThrowIfCancellationRequested();
            LookUpDirectory(i);
        }
    }

    /// <summary>What the inodes looked up since <see cref="Begin"/> take.</summary>
    public IEnumerable<(Quantity Quantity, double Sample)> ReadMemory()
    {
        ProcessUsage after = ReadSettled();
        double counted = Known - InodeTree.FilesPerDirectory;
        yield return (Quantity.InodeMemory, (after.AnonymousBytes - _before.AnonymousBytes) / counted);
        yield return (Quantity.Memory, after.AnonymousBytes);
        yield return (Quantity.Descriptors, after.OpenFiles - _before.OpenFiles);
    }

    /// <summary>Measures lookups all over the inodes that are known, one at a time.</summary>
    public IEnumerable<(Quantity Quantity, double Sample)> MeasureLookups()
    {
        Workload workload = new(new WorkloadContext(_fuse, Lanes: 1, Driver: 0), LookUpKnown);
        QueueDriver driver = new(
            session.Guests[0].Connection.RequestQueues[0], workload, lanes: 1, recorder, settings.WaitOf(Topology.Single));
        QueueDriver.RunTogether([driver], settings.Slice);
        driver.Finish();
        long[] latencies = driver.Latencies.ToArray();
        Array.Sort(latencies);
        yield return (Quantity.LatencyP50, LatencyRecorder.PercentileMicroseconds(latencies, 0.50));
        yield return (Quantity.LatencyP99, LatencyRecorder.PercentileMicroseconds(latencies, 0.99));
        yield return (Quantity.Rate, driver.Slice.Operations / driver.Slice.Elapsed.TotalSeconds);
    }

    /// <summary>In an order that no cache of a processor can follow.</summary>
    private IEnumerator<RequestSlot?> LookUpKnown(WorkloadContext context, Lane lane)
    {
        uint state = 1;
        while (true)
        {
            yield return null;
            // A linear congruential generator; the upper bits of its state are the random ones.
            state = (state * 1664525) + 1013904223;
            int pick = (int)((ulong)state * (ulong)Known >> 32);
            yield return lane.Slot.WriteLookup(
                _directories[pick / InodeTree.FilesPerDirectory], BenchTree.FileNames[pick % InodeTree.FilesPerDirectory]);
        }
    }

    private void LookUpDirectory(int index)
    {
        NodeId directory = new(_fuse.Lookup(NodeId.Root, InodeTree.DirectoryName(index)).nodeid);
        foreach (byte[] name in BenchTree.FileNames)
            _fuse.Lookup(directory, name);
        _directories.Add(directory);
    }

    private ProcessUsage ReadSettled()
    {
        Thread.Sleep(Settle);
        return ProcessUsage.Read(session.ProcessIds);
    }
}
