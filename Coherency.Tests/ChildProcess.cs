using System.Diagnostics;

namespace Coherency.Tests;

/// <summary>What a program printed on both channels, and how it ended.</summary>
internal sealed record ChildResult(int ExitCode, string Output, string Errors);

/// <summary>Runs a program to its end.</summary>
internal static class ChildProcess
{
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
        process.WaitForExit();
        return new ChildResult(process.ExitCode, output.Result, errors.Result);
    }
}
