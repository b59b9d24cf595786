namespace Coherency.Bench.Measurement;

/// <summary>One contender's figures for one row at one depth.</summary>
/// <param name="CpuMicrosecondsPerRequest">Processor time of the daemon.</param>
/// <param name="RoundP50Microseconds">Of each round alone: their spread tells how quiet the machine was.</param>
public sealed record ContenderResult(
    string Contender,
    double P50Microseconds,
    double P99Microseconds,
    double OperationsPerSecond,
    double RequestsPerSecond,
    double CpuMicrosecondsPerRequest,
    long Operations,
    IReadOnlyList<double> RoundP50Microseconds);

/// <summary>All contenders' figures for one row at one depth.</summary>
public sealed record RowResult(string Row, string Title, int Depth, IReadOnlyList<ContenderResult> Contenders)
{
    /// <summary>How many times longer the contender's median takes than the first one's: 1.0 and more means the first is as good.</summary>
    public double P50Ratio(ContenderResult contender) => Divide(contender.P50Microseconds, Contenders[0].P50Microseconds);

    /// <summary>How many times more the first contender does in a second: 1.0 and more means it is as good.</summary>
    public double RateRatio(ContenderResult contender) => Divide(Contenders[0].OperationsPerSecond, contender.OperationsPerSecond);

    private static double Divide(double dividend, double divisor) => divisor > 0 ? dividend / divisor : 0;
}

/// <summary>What a contender's daemon keeps for inodes that its guest has looked up.</summary>
/// <param name="BytesPerInode">Growth of its own resident memory, per inode.</param>
/// <param name="OpenFilesAdded">Growth of its open descriptors, in all.</param>
public sealed record MemoryResult(string Contender, int Inodes, double BytesPerInode, int OpenFilesAdded);
