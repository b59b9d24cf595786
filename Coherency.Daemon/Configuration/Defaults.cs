namespace Coherency.Daemon.Configuration;

/// <summary>Defaults that stand on a measurement.</summary>
internal static class Defaults
{
    /// <summary>
    /// Halves the time of a request that follows another closely, and takes less processor time than sleeping and waking do;
    /// an idle guest costs nothing. See docs/performance.md for the measurement.
    /// </summary>
    public const int PollMicroseconds = 50;

    /// <summary>More than a guest's programs usually wait for at a time; a thread is started only when it is needed.</summary>
    public const int ThreadPoolSize = 16;
}
