using System.Text.RegularExpressions;

namespace Coherency.Guest.VirtualMachines;

/// <summary>The file in which QEMU records a guest's kernel console.</summary>
public sealed partial class GuestConsole(string path)
{
    private const int LinesInReport = 60;

    public string Path { get; } = path;

    /// <summary>The first line with which the kernel reports a fault of its own, or null.</summary>
    public string? FirstKernelFault => Lines.FirstOrDefault(line => KernelFault.IsMatch(line));

    public string Tail => string.Join('\n', Lines.TakeLast(LinesInReport));

    [GeneratedRegex(@"WARNING:|BUG:|Oops|Call Trace|Kernel panic|blocked for more than|INFO: rcu.*stall")]
    private static partial Regex KernelFault { get; }

    // QEMU keeps writing to the file while it is read.
    private string[] Lines
    {
        get
        {
            if (!File.Exists(Path))
                return [];
            using StreamReader reader = new(
                new FileStream(Path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
            return reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        }
    }
}
