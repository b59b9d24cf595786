using System.Diagnostics;

namespace Coherency.Tests;

/// <summary>What a program printed on both channels, and how it ended.</summary>
internal sealed record ChildResult(int ExitCode, string Output, string Errors);

/// <summary>Runs a program to its end, or kills it when there is none in sight.</summary>
internal static class ChildProcess
{
    /// <summary>No program of a test takes longer, the publishing of the daemon on a busy machine included.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(12);

    public static ChildResult Run(string program, IEnumerable<string> arguments, string input = "")
    {
        ProcessStartInfo start = new(program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment = { ["LC_ALL"] = "C" },
        };
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> errors = process.StandardError.ReadToEndAsync();
        process.StandardInput.Write(input);
        process.StandardInput.Close();
        string killed = "";
        if (!process.WaitForExit(Patience))
        {
            process.Kill(entireProcessTree: true);
            killed = $"{program} was killed: it took more than {Patience.TotalMinutes} minutes";
        }

        return new ChildResult(process.ExitCode, output.Result, errors.Result + killed);
    }
}
