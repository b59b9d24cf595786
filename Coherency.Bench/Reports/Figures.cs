using System.Globalization;
using Coherency.Bench.Measurement;

namespace Coherency.Bench.Reports;

/// <summary>The table's cells as text, the same for every way of showing them.</summary>
internal static class Figures
{
    public static readonly string[] Columns =
        ["operation", "depth", "daemon", "p50 us", "p99 us", "op/s", "CPU us/request", "p50 ratio", "op/s ratio"];

    public static readonly string[] MemoryColumns = ["daemon", "inodes", "KiB per inode", "descriptors added"];

    private const double BytesPerKibibyte = 1024;

    public static string[] RowCells(RowResult row, ContenderResult contender)
    {
        bool isReference = ReferenceEquals(contender, row.Contenders[0]);
        return
        [
            row.Title,
            Integer(row.Depth),
            contender.Contender,
            Decimal(contender.P50Microseconds),
            Decimal(contender.P99Microseconds),
            Integer(contender.OperationsPerSecond),
            Decimal(contender.CpuMicrosecondsPerRequest),
            isReference ? "" : Ratio(row.P50Ratio(contender)),
            isReference ? "" : Ratio(row.RateRatio(contender)),
        ];
    }

    public static string[] MemoryCells(MemoryResult memory) =>
    [
        memory.Contender,
        Integer(memory.Inodes),
        Ratio(memory.BytesPerInode / BytesPerKibibyte),
        Integer(memory.OpenFilesAdded),
    ];

    private static string Integer(double value) => value.ToString("#,0", CultureInfo.InvariantCulture);

    private static string Decimal(double value) => value.ToString("#,0.0", CultureInfo.InvariantCulture);

    private static string Ratio(double value) => value.ToString("0.00", CultureInfo.InvariantCulture);
}
