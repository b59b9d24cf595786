namespace Coherency.Daemon.Configuration;

/// <summary>Defaults that stand on a measurement.</summary>
internal static class Defaults
{
    /// <summary>
    /// Halves the time of a request that follows another closely, and takes less processor time than sleeping and waking do;
    /// an idle guest costs nothing. See docs/performance.md for the measurement.
    /// </summary>
    public const int PollMicroseconds = 50;
}
