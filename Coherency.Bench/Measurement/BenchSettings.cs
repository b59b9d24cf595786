using Coherency.Bench.Contenders;
using Coherency.Guest.Fuse;

namespace Coherency.Bench.Measurement;

/// <summary>How a daemon is measured.</summary>
/// <param name="Seconds">Time per scenario, depth and contender, divided into rounds.</param>
/// <param name="SpinMicroseconds">Poll that long for a reply before sleeping, where there are processors for it.</param>
internal sealed record BenchSettings(double Seconds, int Rounds, int SpinMicroseconds)
{
    private const int ReplyTimeoutMs = 30_000;

    /// <summary>More than a queue can answer in a second.</summary>
    private const int LatenciesPerSecondMax = 4_000_000;

    public TimeSpan Slice => TimeSpan.FromSeconds(Seconds / Rounds);

    /// <summary>Room for each latency of a slice.</summary>
    public int LatenciesMax => (int)Math.Ceiling(Slice.TotalSeconds * LatenciesPerSecondMax) + LatenciesMin;

    private const int LatenciesMin = 1024;

    /// <summary>
    /// A client that polls takes a processor from the daemon when there is not one for each queue on both sides; its threads
    /// sleep then, as a guest's would.
    /// </summary>
    public static bool Polls(Topology topology) => 2 * topology.Drivers <= Environment.ProcessorCount;

    public WaitPolicy WaitOf(Topology topology) => new(Polls(topology) ? SpinMicroseconds : 0, ReplyTimeoutMs);
}
