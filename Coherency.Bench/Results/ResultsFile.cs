using System.Text.Json;
using System.Text.Json.Serialization;

namespace Coherency.Bench.Results;

/// <summary>Results as JSON, for programs and for comparing two runs.</summary>
[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = true)]
[JsonSerializable(typeof(BenchResults), TypeInfoPropertyName = "Root")]
internal sealed partial class ResultsFile : JsonSerializerContext
{
    public static void Write(BenchResults results, string path)
    {
        // In one step: who ends the run while it is written keeps the former file.
        string next = path + ".next";
        File.WriteAllText(next, JsonSerializer.Serialize(results, Default.Root) + "\n");
        File.Move(next, path, overwrite: true);
    }

    /// <exception cref="InvalidDataException">The file is not one of results, or of another schema.</exception>
    public static BenchResults Read(string path)
    {
        BenchResults? results;
        try
        {
            results = JsonSerializer.Deserialize(File.ReadAllText(path), Default.Root);
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path} does not hold results of coherency-bench: {e.Message}", e);
        }

        return results is { Schema: BenchResults.CurrentSchema, Observations: not null }
            ? results
            : throw new InvalidDataException($"{path} has results of schema {results?.Schema}, not {BenchResults.CurrentSchema}; measure again");
    }
}
