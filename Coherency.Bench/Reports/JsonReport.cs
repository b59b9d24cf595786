using System.Text.Json;
using System.Text.Json.Serialization;

namespace Coherency.Bench.Reports;

/// <summary>The report for programs.</summary>
[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(BenchReport))]
internal sealed partial class JsonReport : JsonSerializerContext
{
    public static void Write(BenchReport report, string path) =>
        File.WriteAllText(path, JsonSerializer.Serialize(report, Default.BenchReport) + "\n");
}
