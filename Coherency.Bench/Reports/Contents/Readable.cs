using System.Globalization;
using Coherency.Bench.Results;

namespace Coherency.Bench.Reports.Contents;

/// <summary>Numbers as people read them, the same in every country: three digits that count, thousands with commas.</summary>
internal static class Readable
{
    private const double BytesPerMebibyte = 1 << 20;

    public static string Number(double value) => Math.Abs(value) switch
    {
        0 => "0",
        >= 100 => Format(value, "#,0"),
        >= 10 => Format(value, "0.0"),
        >= 1 => Format(value, "0.00"),
        >= 0.001 => Format(value, "0.000"),
        _ => Format(value, "0.0e0"),
    };

    /// <summary>Counts are not rounded to three digits.</summary>
    public static string Count(double value) => Format(value, "#,0.##");

    public static string Of(Quantity quantity, double value) => quantity.IsExact() ? Count(value) : Number(Scale(quantity, value));

    public static string Ratio(double value) => value >= 100 ? Format(value, "#,0") : Format(value, "0.00");

    /// <summary>For axes, where there is little room.</summary>
    public static string Short(double value) => Math.Abs(value) switch
    {
        >= 1e9 => Format(value / 1e9, "0.##") + "G",
        >= 1e6 => Format(value / 1e6, "0.##") + "M",
        >= 1e4 => Format(value / 1e3, "0.##") + "k",
        _ => Format(value, "#,0.####"),
    };

    /// <summary>Powers of two as such.</summary>
    public static string Binary(double value) => value switch
    {
        >= 1 << 20 => Format(value / (1 << 20), "0.##") + "Mi",
        >= 1 << 10 => Format(value / (1 << 10), "0.##") + "Ki",
        _ => Format(value, "0.##"),
    };

    /// <summary>The unit that <see cref="Of"/> writes in.</summary>
    public static string Unit(Quantity quantity) => quantity switch
    {
        Quantity.Memory => "MiB",
        Quantity.LatencyP50 or Quantity.LatencyP99 => "µs",
        Quantity.DaemonCpu or Quantity.GuestCpu => "µs/request",
        _ => quantity.Unit(),
    };

    /// <summary>A figure in the unit of <see cref="Unit"/>.</summary>
    public static double Scale(Quantity quantity, double value) => quantity == Quantity.Memory ? value / BytesPerMebibyte : value;

    public static string Name(Quantity quantity) => quantity switch
    {
        Quantity.Duration => "time",
        Quantity.LatencyP50 => "p50",
        Quantity.LatencyP99 => "p99",
        Quantity.Rate => "rate",
        Quantity.Requests => "requests",
        Quantity.DaemonCpu => "daemon CPU",
        Quantity.GuestCpu => "guest CPU",
        Quantity.InodeMemory => "daemon memory",
        Quantity.Memory => "daemon memory",
        Quantity.Descriptors => "descriptors added",
        Quantity.CallTime => "time of a call",
        Quantity.FalseSharing => "asked for in vain",
        _ => throw new ArgumentOutOfRangeException(nameof(quantity), quantity, null),
    };

    public static string Conditions(BenchLevel level, Conditions conditions) => string.Join(", ", ConditionParts(level, conditions));

    private static IEnumerable<string> ConditionParts(BenchLevel level, Conditions conditions)
    {
        if (conditions.State != CacheState.None)
        {
            yield return conditions.State == CacheState.Warm ? "warm" : "cold";
        }

        if (conditions.Depth > 0)
        {
            yield return $"depth {Count(conditions.Depth)}";
        }

        if (conditions.Queues > 1)
        {
            yield return $"{Count(conditions.Queues)} queues";
        }

        if (conditions.Guests > 1 || level == BenchLevel.Guests)
        {
            yield return conditions.Guests == 1 ? "one guest" : $"{Count(conditions.Guests)} guests";
        }

        // The titles of programs say how many files they see.
        if (conditions.Size > 0 && level == BenchLevel.Daemon)
        {
            yield return $"{Count(conditions.Size)} inodes";
        }
    }

    private static string Format(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
