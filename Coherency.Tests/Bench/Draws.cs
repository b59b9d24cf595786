namespace Coherency.Tests.Bench;

/// <summary>
/// Random numbers that are the same for the same seed (SplitMix64). The base library's seeded generator will not do: streams of
/// neighbouring seeds resemble each other, and rounds that do so agree better than chance lets them.
/// </summary>
internal sealed class Draws(ulong seed)
{
    private const double DoublesInUnit = 1UL << 53;

    private ulong _state = seed;

    /// <summary>From 0 to below 1.</summary>
    public double Unit() => (Next() >> 11) / DoublesInUnit;

    /// <summary>From 0 to below the limit.</summary>
    public long Below(long limit) => (long)Math.BigMul(Next(), (ulong)limit, out _);

    /// <summary>Time to the next of events that happen once in a unit of time on average, at random moments.</summary>
    public double Exponential() => -Math.Log(1 - Unit());

    /// <summary>How many such events happen in so many units of time: counts them.</summary>
    public int Poisson(double mean)
    {
        int count = 0;
        for (double time = Exponential(); time < mean; time += Exponential())
        {
            count++;
        }

        return count;
    }

    private ulong Next()
    {
        ulong mixed = _state += 0x9E3779B97F4A7C15;
        mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9;
        mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
        return mixed ^ (mixed >> 31);
    }
}
