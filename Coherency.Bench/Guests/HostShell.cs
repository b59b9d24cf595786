using System.Diagnostics;

namespace Coherency.Bench.Guests;

/// <summary>Runs shell commands on the host.</summary>
internal static class HostShell
{
    /// <summary>Runs a command that must succeed; returns its output without the last line's end.</summary>
    /// <exception cref="IOException">It failed; the message holds what it printed.</exception>
    public static string Run(string command, string directory = "/")
    {
        ProcessStartInfo start = new("/bin/sh", ["-ec", command])
        {
            WorkingDirectory = directory,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        // A fixed date, that two trees have the same commits.
        start.Environment["GIT_AUTHOR_DATE"] = start.Environment["GIT_COMMITTER_DATE"] = "2020-01-02T00:00:00Z";
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0
            ? output.TrimEnd('\n')
            : throw new IOException($"`{command}` in {directory} ended with {process.ExitCode}: {output}{errors.Result}");
    }
}
