using System.Diagnostics;

namespace Coherency.Bench.Contenders;

/// <summary>A daemon to measure.</summary>
/// <param name="Command">With <c>{socket}</c> and <c>{dir}</c>.</param>
/// <param name="VersionCommand">Prints its version; null when nobody knows how.</param>
public sealed record Contender(string Name, string Command, string? VersionCommand = null)
{
    private const int VersionTimeoutMs = 10_000;

    /// <summary>The first line of what the version command prints.</summary>
    public string ReadVersion()
    {
        if (VersionCommand is null)
        {
            return "not told";
        }

        string[] words = VersionCommand.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        ProcessStartInfo start = new(words[0], words[1..]) { RedirectStandardOutput = true, RedirectStandardError = true };
        using Process? process = Process.Start(start);
        string? line = process?.StandardOutput.ReadLine();
        process?.WaitForExit(VersionTimeoutMs);
        return line ?? "not told";
    }
}
