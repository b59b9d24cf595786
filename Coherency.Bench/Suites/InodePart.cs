using Coherency.Bench.Measurement;
using Coherency.Bench.Workloads;

namespace Coherency.Bench.Suites;

/// <summary>What a daemon keeps for the inodes that its guest looked up, and whether it finds them as fast when they are many.</summary>
/// <param name="inodes">How many; a multiple of 1,000 is taken.</param>
internal sealed class InodePart(int inodes, IReadOnlyList<Contender> contenders, BenchSettings settings) : ISuitePart
{
    /// <summary>The number that larger ones are compared with.</summary>
    private const int FewInodes = 10_000;

    /// <summary>Up to so many, every round has fresh daemons; above, starting them again would take minutes.</summary>
    private const int RestartMax = 100_000;

    private const int FewDirectories = FewInodes / InodeTree.FilesPerDirectory;
    private const int SpareSlots = 8;

    private readonly int _directories = inodes / InodeTree.FilesPerDirectory;
    private readonly HashSet<string> _failed = [];

    private int Starts => inodes <= RestartMax ? settings.Rounds : 1;

    public int Steps => 1 + (Starts * contenders.Count);

    public void Run(SuiteRun run)
    {
        string directory = Directory.CreateDirectory(Path.Combine(run.WorkDirectory, "inodes")).FullName;
        try
        {
            string share = Directory.CreateDirectory(Path.Combine(directory, "share")).FullName;
            run.BeginStep(Text($"making {inodes:#,0} files"));
            InodeTree.LayOut(share, _directories, run.Interrupted);
            LatencyRecorder recorder = new(settings.LatenciesMax);
            foreach (Contender contender in Enumerable.Repeat(contenders, Starts).SelectMany(round => round))
            {
                run.BeginStep(Text($"{inodes:#,0} inodes, {contender.Name}"));
                if (!_failed.Contains(contender.Name))
                    Measure(run, contender, directory, share, recorder);
            }
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private void Measure(SuiteRun run, Contender contender, string directory, string share, LatencyRecorder recorder)
    {
        string sockets = Directory.CreateDirectory(Path.Combine(directory, contender.FileName)).FullName;
        using ContenderSession session = new(contender, Topology.Single, share, sockets, SpareSlots, settings.WaitOf(Topology.Single));
        run.Add(new ContenderDescription(contender.Name, contender.ReadVersion(), session.Commands));
        InodeProbe probe = new(session, recorder, settings);
        try
        {
            Measure(run, contender.Name, probe);
        }
        catch (FuseException e)
        {
            // Most keep a descriptor for each inode, and the kernel grants a process about a million.
            int descriptors = ProcessUsage.Read(session.ProcessIds).OpenFiles;
            _failed.Add(contender.Name);
            run.Add(Observe(
                contender.Name, InodeProbe.MemoryScenario, inodes, (Quantity.InodeMemory, null), Text(
                    $"it answered {e.Message} when it had {descriptors:#,0} descriptors")));
        }
    }

    private void Measure(SuiteRun run, string contender, InodeProbe probe)
    {
        probe.Begin();
        probe.LookUp(Math.Min(FewDirectories, _directories), run.Interrupted);
        run.Add(MeasureLookups(contender, probe, Math.Min(FewInodes, inodes)));
        probe.LookUp(_directories, run.Interrupted);
        run.Add(probe.ReadMemory().Select(sample => Observe(contender, InodeProbe.MemoryScenario, inodes, sample)));
        if (_directories > FewDirectories)
            run.Add(MeasureLookups(contender, probe, inodes));
    }

    /// <summary>All rounds at once where there is one start, one of them otherwise.</summary>
    private IEnumerable<Observation> MeasureLookups(string contender, InodeProbe probe, int size) =>
        from round in Enumerable.Range(0, settings.Rounds / Starts)
        from sample in probe.MeasureLookups()
        select Observe(contender, InodeProbe.LookupScenario, size, sample);

    private static Observation Observe(
        string contender, string scenario, long size, (Quantity Quantity, double? Sample) found, string? remark = null)
    {
        bool isLookup = scenario == InodeProbe.LookupScenario;
        return new Observation(
            BenchLevel.Daemon,
            scenario,
            isLookup ? Text($"LOOKUP among {size:#,0} known inodes") : Text($"{size:#,0} inodes looked up"),
            new Conditions(Depth: isLookup ? 1 : 0, Size: size),
            contender,
            found.Quantity,
            found.Sample is { } sample ? [sample] : [],
            remark);
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
