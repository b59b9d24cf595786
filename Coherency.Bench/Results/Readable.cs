namespace Coherency.Bench.Results;

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

    /// <summary>The unit that <see cref="Of"/> writes in.</summary>
    public static string Unit(Quantity quantity) => Words(quantity).Unit;

    public static string Name(Quantity quantity) => Words(quantity).Name;

    /// <summary>A figure in the unit of <see cref="Unit"/>.</summary>
    public static double Scale(Quantity quantity, double value) => quantity == Quantity.Memory ? value / BytesPerMebibyte : value;

    /// <inheritdoc cref="Scale(Quantity, double)"/>
    public static MedianEstimate Scale(Quantity quantity, MedianEstimate found) => found with
    {
        Median = Scale(quantity, found.Median),
        Low = Scale(quantity, found.Low),
        High = Scale(quantity, found.High),
    };

    /// <summary>In brackets; null where there is none, or none to speak of, as of a count that never varied.</summary>
    public static string? Interval(Quantity quantity, MedianEstimate found) =>
        found.HasInterval && (!quantity.IsExact() || found.Low != found.High)
            ? $"[{Of(quantity, Math.Max(0, found.Low))}–{Of(quantity, found.High)}]"
            : null;

    /// <summary>Name and unit, for a column.</summary>
    public static string Heading(Quantity quantity) => $"{Name(quantity)} {Unit(quantity)}";

    private static (string Name, string Unit) Words(Quantity quantity) => quantity switch
    {
        Quantity.Duration => ("time", "s"),
        Quantity.LatencyP50 => ("p50", "µs"),
        Quantity.LatencyP99 => ("p99", "µs"),
        Quantity.Rate => ("rate", "op/s"),
        Quantity.Requests => ("requests", "requests"),
        Quantity.DaemonCpu => ("daemon CPU", "µs/request"),
        Quantity.GuestCpu => ("guest CPU", "µs/request"),
        Quantity.InodeMemory => ("daemon memory", "bytes/inode"),
        Quantity.Memory => ("daemon memory", "MiB"),
        Quantity.Descriptors => ("descriptors added", "descriptors"),
        Quantity.CallTime => ("time of a call", "ns"),
        _ => throw new ArgumentOutOfRangeException(nameof(quantity), quantity, null),
    };

    public static string Conditions(BenchLevel level, Conditions conditions) => string.Join(", ", ConditionParts(level, conditions));

    private static IEnumerable<string> ConditionParts(BenchLevel level, Conditions conditions)
    {
        bool isTable = level == BenchLevel.Table;
        if (conditions.State != CacheState.None)
            yield return conditions.State == CacheState.Warm ? "warm" : "cold";
        if (conditions.Depth > (isTable ? 1 : 0))
            yield return isTable ? $"{Count(conditions.Depth)} threads" : $"depth {Count(conditions.Depth)}";
        if (conditions.Queues > 1)
            yield return $"{Count(conditions.Queues)} queues";
        if (conditions.Guests != 1 || level == BenchLevel.Guests)
            yield return conditions.Guests == 1 ? "one guest" : $"{Count(conditions.Guests)} guests";
        // The titles of programs say how many files they see.
        if (conditions.Size > 0 && level != BenchLevel.Guests)
            yield return $"{Count(conditions.Size)} {(isTable ? "bytes" : "inodes")}";
    }

    private static string Format(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
