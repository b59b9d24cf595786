using Coherency.Bench.Contenders;
using Coherency.Bench.Measurement;
using Coherency.Bench.Reports;
using Coherency.Bench.Results;
using Coherency.Bench.Workloads;
using Coherency.Core.Linux;

namespace Coherency.Bench;

/// <summary>A whole run: starts every contender, measures every row, stops them.</summary>
internal sealed class BenchRun(BenchSettings settings, IReadOnlyList<Contender> contenders, string directory)
{
    public BenchReport Run()
    {
        RaiseDescriptorLimit();
        int memorySteps = settings.Inodes > 0 ? contenders.Count : 0;
        int steps = contenders.Count + (settings.Rows.Count * settings.Depths.Count) + memorySteps;
        return ProgressDisplay.Run(steps, Measure);
    }

    private BenchReport Measure(Action<string> beginStep)
    {
        List<ContenderSession> sessions = [];
        try
        {
            foreach (Contender contender in contenders)
            {
                beginStep($"starting {contender.Name}");
                string own = Directory.CreateDirectory(Path.Combine(directory, contender.Name)).FullName;
                sessions.Add(new ContenderSession(contender, own, settings.Inodes, settings.Wait));
            }

            // Memory first: the daemons are fresh, and what the rows leave behind is not in the way.
            MemoryResult[] memory = [.. MeasureMemory(sessions, beginStep)];
            RowResult[] rows = [.. MeasureRows(sessions, beginStep)];
            return Report(sessions, rows, memory);
        }
        finally
        {
            sessions.ForEach(session => session.Dispose());
        }
    }

    private IEnumerable<MemoryResult> MeasureMemory(List<ContenderSession> sessions, Action<string> beginStep)
    {
        foreach (ContenderSession session in settings.Inodes > 0 ? sessions : [])
        {
            beginStep($"memory per inode, {session.Contender.Name}");
            yield return InodeMemory.Measure(session, settings.Inodes);
        }
    }

    private IEnumerable<RowResult> MeasureRows(List<ContenderSession> sessions, Action<string> beginStep)
    {
        InterleavedRun run = new(settings);
        foreach (WorkloadRow row in settings.Rows)
        {
            foreach (int depth in settings.Depths)
            {
                beginStep($"{row.Title}, depth {depth}");
                yield return run.Measure(row, depth, sessions);
            }
        }
    }

    private BenchReport Report(List<ContenderSession> sessions, RowResult[] rows, MemoryResult[] memory) => new(
        MachineInfo.Read(directory),
        "coherency-bench " + string.Join(' ', Environment.GetCommandLineArgs()[1..]),
        settings.Seconds,
        settings.Rounds,
        settings.Wait.SpinMicroseconds,
        [.. sessions.Select(session => new ContenderDescription(session.Contender.Name, session.Contender.ReadVersion(), [session.Command]))],
        rows,
        memory);

    /// <summary>Peers hold a descriptor per inode and inherit this process's limit.</summary>
    private static void RaiseDescriptorLimit()
    {
        if (Libc.GetResourceLimit(ProcessFlags.RLIMIT_NOFILE, out rlimit limit) >= 0)
        {
            limit.rlim_cur = limit.rlim_max;
            _ = Libc.SetResourceLimit(ProcessFlags.RLIMIT_NOFILE, limit);
        }
    }
}
