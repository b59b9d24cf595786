using System.Text;

namespace Coherency.Tests.Vm;

/// <summary>Runs shell commands on the host, so that a test can ask all three sides the same question.</summary>
public static class HostShell
{
    /// <summary>Runs a command that must succeed; returns its output without the last line's end, a character for each byte.</summary>
    public static Task<string> ExpectAsync(string command) => ChildProcess.ShellAsync(command, encoding: Encoding.Latin1);
}
