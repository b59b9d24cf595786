using System.Diagnostics;
using System.Text;

namespace Coherency.Guest.Processes;

/// <summary>What a program printed on both channels, and how it ended.</summary>
public sealed record ChildResult(int ExitCode, string Output, string Errors);

/// <summary>Runs a program to its end, or kills it when there is none in sight.</summary>
public static class ChildProcess
{
    /// <summary>No program of a test takes longer, the publishing of the daemon on a busy machine included.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(12);

    /// <param name="input">For its standard input, which ends behind it.</param>
    /// <param name="directory">Where it works; null for the present one.</param>
    /// <param name="encoding">Of what it prints; null for UTF-8.</param>
    public static async Task<ChildResult> RunAsync(
        string program, IEnumerable<string> arguments, string input = "", string? directory = null, Encoding? encoding = null)
    {
        ProcessStartInfo start = new(program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = encoding,
            WorkingDirectory = directory ?? "",
            Environment = { ["LC_ALL"] = "C" },
        };
        using Process process = Process.Start(start)!;
        using CancellationTokenSource patience = new(Patience);
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> errors = process.StandardError.ReadToEndAsync();
        await process.StandardInput.WriteAsync(input).ConfigureAwait(false);
        process.StandardInput.Close();
        string killed = "";
        try
        {
            await process.WaitForExitAsync(patience.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            killed = $"{program} was killed: it took more than {Patience.TotalMinutes} minutes";
            await process.WaitForExitAsync().ConfigureAwait(false);
        }

        return new ChildResult(process.ExitCode, await output.ConfigureAwait(false), await errors.ConfigureAwait(false) + killed);
    }

    /// <inheritdoc cref="RunAsync"/>
    public static ChildResult Run(string program, IEnumerable<string> arguments, string input = "") =>
        RunAsync(program, arguments, input).GetAwaiter().GetResult();

    /// <summary>Runs a shell command that must succeed; returns its output without the last line's end.</summary>
    /// <exception cref="IOException">It failed; the message holds what it printed.</exception>
    public static async Task<string> ShellAsync(string command, string directory = "/", Encoding? encoding = null)
    {
        ChildResult result = await RunAsync("/bin/sh", ["-ec", command], directory: directory, encoding: encoding).ConfigureAwait(false);
        return result.ExitCode == 0
            ? result.Output.TrimEnd('\n')
            : throw new IOException($"`{command}` in {directory} ended with {result.ExitCode}:\n{result.Output}{result.Errors}");
    }

    /// <inheritdoc cref="ShellAsync"/>
    public static string Shell(string command, string directory = "/") => ShellAsync(command, directory).GetAwaiter().GetResult();
}
