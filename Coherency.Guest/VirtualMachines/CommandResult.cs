namespace Coherency.Guest.VirtualMachines;

/// <summary>How a shell command in a guest ended.</summary>
/// <param name="ExitCode">The shell's exit status; 128 + the signal's number when a signal ended it.</param>
/// <param name="Output">Standard output and error in the order written, one char per byte (Latin-1).</param>
public sealed record CommandResult(int ExitCode, string Output)
{
    /// <summary>The output without the last line's end.</summary>
    public string Text => Output.TrimEnd('\n');
}
