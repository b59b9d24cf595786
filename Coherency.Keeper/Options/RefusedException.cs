namespace Coherency.Keeper.Options;

/// <summary>
/// What was asked for cannot be done. The message is one sentence; the exit code is the one that virtiofsd's callers expect.
/// </summary>
internal sealed class RefusedException(int exitCode, string message) : Exception(message)
{
    /// <summary>It could not start.</summary>
    public const int Failed = 1;

    /// <summary>The command line makes no sense.</summary>
    public const int Usage = 2;

    public int ExitCode { get; } = exitCode;
}
