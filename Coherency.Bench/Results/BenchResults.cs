using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Coherency.Bench.Results;

/// <summary>Everything that a run found, with what is needed to repeat it: what the JSON file holds and every report is made of.</summary>
/// <param name="Schema">Of the file; <see cref="CurrentSchema"/>.</param>
/// <param name="Suite">What was run, by its name on the command line.</param>
/// <param name="Command">This program's own command line.</param>
/// <param name="Contenders">Who was measured, in the order of the reports; ours first.</param>
public sealed record BenchResults(
    int Schema,
    string Suite,
    string Command,
    MachineInfo Machine,
    IReadOnlyList<ContenderDescription> Contenders,
    IReadOnlyList<Observation> Observations,
    IReadOnlyList<StalenessResult> Staleness)
{
    public const int CurrentSchema = 1;
}

/// <summary>A contender as it was measured.</summary>
/// <param name="Name">Such as <c>coherencyd coherent</c> or <c>virtiofsd-rust auto</c>.</param>
/// <param name="Version">What it says of itself, or the package's version.</param>
/// <param name="Commands">What was started on the host and what mounted it in the guest, as they were run.</param>
public sealed record ContenderDescription(string Name, string Version, IReadOnlyList<string> Commands);

/// <summary>
/// How often a contender's guest was answered from a cache that was no longer true, when it looked at once after a change.
/// </summary>
/// <param name="Looks">Changes that were looked at.</param>
/// <param name="Stale">Looks that saw the state from before the change.</param>
/// <param name="Writer">Who made the changes, such as <c>another guest</c> or <c>the host</c>.</param>
public sealed record StalenessResult(string Contender, string Writer, int Looks, int Stale);

/// <summary>Where the figures come from.</summary>
public sealed record MachineInfo(
    string Date, string Kernel, string Processor, int Processors, string Memory, string FileSystem, string Runtime)
{
    /// <param name="directory">Where the shared trees are.</param>
    public static MachineInfo Read(string directory) => new(
        DateTime.UtcNow.ToString("yyyy-MM-dd HH:mm 'UTC'", CultureInfo.InvariantCulture),
        "Linux " + File.ReadAllText("/proc/sys/kernel/osrelease").Trim(),
        FindField("/proc/cpuinfo", "model name"),
        Environment.ProcessorCount,
        FindField("/proc/meminfo", "MemTotal"),
        new DriveInfo(directory).DriveFormat,
        RuntimeInformation.FrameworkDescription);

    private static string FindField(string path, string name) =>
        File.ReadLines(path).FirstOrDefault(line => line.StartsWith(name, StringComparison.Ordinal))?.Split(':', 2)[1].Trim() ?? "not told";
}

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
            : throw new InvalidDataException(
                $"{path} has results of schema {results?.Schema}, not {BenchResults.CurrentSchema}; measure again");
    }
}
