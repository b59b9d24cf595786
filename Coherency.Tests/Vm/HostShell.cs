using System.Diagnostics;
using System.Text;

namespace Coherency.Tests.Vm;

/// <summary>Runs shell commands on the host, so that a test can ask all three sides the same question.</summary>
public static class HostShell
{
    /// <summary>Runs a command that must succeed; returns its output without the last line end.</summary>
    public static async Task<string> ExpectAsync(string command)
    {
        var shell = new ProcessStartInfo("/bin/sh", ["-c", command])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = Encoding.Latin1,
        };
        using var process = Process.Start(shell)!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"`{command}` ended with {process.ExitCode}:\n{output}{await errors}");
        return output.TrimEnd('\n');
    }
}
