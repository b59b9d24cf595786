namespace Coherency.Daemon.Configuration;

/// <summary>Defaults that stand on a measurement.</summary>
internal static class Defaults
{
    /// <summary>See docs/performance.md: the shortest look that catches the next request of a busy guest.</summary>
    public const int PollMicroseconds = 0;
}
