using System.Globalization;
using System.Runtime.InteropServices;

namespace Coherency.Bench.Results;

/// <summary>Where the figures come from.</summary>
public sealed record MachineInfo(string Date, string Kernel, string Processor, int Processors, string Memory, string FileSystem, string Runtime)
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
