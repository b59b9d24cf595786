using Coherency.Bench.Results;
using Coherency.Bench.SlotSharing;

namespace Coherency.Bench.Suites;

/// <summary>What it costs that keys share slots of the version table: simulated, with the formula beside it.</summary>
internal sealed class SlotSharingPart : ISuitePart
{
    private readonly IGrouping<string, SharingCase>[] _cases = [.. SharingCase.All.GroupBy(sharing => sharing.Title)];

    public int Steps => _cases.Length;

    public void Run(SuiteRun run)
    {
        foreach (IGrouping<string, SharingCase> cases in _cases)
        {
            run.BeginStep($"keys that share slots: {cases.Key}");
            foreach (Observation observation in cases.SelectMany(sharing => sharing.Observe()))
            {
                run.Add(observation);
            }
        }
    }
}
