using Coherency.Bench.Measurement;
using Coherency.Bench.Results;

namespace Coherency.Bench.Reports;

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
