using Coherency.Bench.Contenders;
using Coherency.Bench.Measurement;

namespace Coherency.Bench.Suites;

/// <summary>The parts that a suite is made of, in the order of their run: the quick ones first.</summary>
internal static class SuiteParts
{
    public static IReadOnlyList<ISuitePart> Build(SuiteDefinition suite, IReadOnlyList<Contender> contenders, BenchSettings settings, string? coherencydPath)
    {
        List<ISuitePart> parts = [];
        if (suite.Levels.HasFlag(SuiteLevels.Table))
        {
            parts.AddRange([new TablePart(), new SlotSharingPart()]);
        }

        if (suite.Levels.HasFlag(SuiteLevels.Daemon))
        {
            AddDaemonParts(parts, suite.Daemon, contenders, settings);
        }

        if (suite.Levels.HasFlag(SuiteLevels.Guests) && suite.Guests.Contenders.Count > 0)
        {
            parts.Add(new GuestsPart(suite.Guests, coherencydPath));
        }

        return parts;
    }

    /// <summary>Memory first: the daemons of that part are its own, and nothing else has run on the machine.</summary>
    private static void AddDaemonParts(List<ISuitePart> parts, DaemonPlan plan, IReadOnlyList<Contender> contenders, BenchSettings settings)
    {
        if (plan.Inodes > 0)
        {
            parts.Add(new InodePart(plan.Inodes, [.. contenders.Where(contender => contender.IsWorthMeasuring(Topology.Single))], settings));
        }

        if (plan.Trials.Count > 0)
        {
            parts.Add(new DaemonPart(plan.Trials, contenders, settings));
        }
    }
}
