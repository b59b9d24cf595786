using Coherency.Bench.Measurement;

namespace Coherency.Bench.Reports;

/// <summary>A contender as it was measured.</summary>
public sealed record ContenderDescription(string Name, string Version, string Command);

/// <summary>Everything that a run found, with what is needed to repeat it.</summary>
/// <param name="Command">This program's own command line.</param>
public sealed record BenchReport(
    MachineInfo Machine,
    string Command,
    double Seconds,
    int Rounds,
    int SpinMicroseconds,
    IReadOnlyList<ContenderDescription> Contenders,
    IReadOnlyList<RowResult> Rows,
    IReadOnlyList<MemoryResult> Memory);
