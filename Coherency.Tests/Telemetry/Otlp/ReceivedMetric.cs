namespace Coherency.Tests.Telemetry.Otlp;

/// <summary>A metric of an export (opentelemetry/proto/metrics/v1/metrics.proto; the numbers here are its fields').</summary>
internal sealed class ReceivedMetric(ProtobufMessage metric)
{
    private const int Gauge = 5;
    private const int Sum = 7;
    private const int Histogram = 9;

    public string Name => metric.Text(1);

    public string Unit => metric.Text(3);

    /// <summary>A single number each.</summary>
    public IEnumerable<(IReadOnlyDictionary<string, string> Attributes, long Value)> Numbers =>
        from kind in new[] { Gauge, Sum }
        from point in metric.Messages(kind, 1)
        select (ReadAttributes(point, 7), (long)point.Number(6));

    public IEnumerable<(IReadOnlyDictionary<string, string> Attributes, ulong Count, ulong[] Buckets, double[] Bounds)> Histograms =>
        from point in metric.Messages(Histogram, 1)
        select (
            ReadAttributes(point, 9),
            point.Number(4),
            point.PackedNumbers(6),
            point.PackedNumbers(7).Select(BitConverter.UInt64BitsToDouble).ToArray());

    /// <summary>Attributes with a text for their value.</summary>
    public static IReadOnlyDictionary<string, string> ReadAttributes(ProtobufMessage owner, int field) =>
        owner.Messages(field).ToDictionary(attribute => attribute.Text(1), attribute => attribute.Messages(2).Single().Text(1));
}
