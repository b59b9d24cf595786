namespace Coherency.Tests.Bench;

/// <summary>
/// Simulates a <see cref="SharedSlots"/> of any size by a sample of its slots, each of some guest's table: how many entries it
/// holds, when it moves, and which of the entries are looked at before it moves again. Takes memory for none of them.
/// </summary>
/// <remarks>
/// Exact, not an approximation of <see cref="EntrySimulation"/>: with an ideal hash entries fall into slots independently,
/// moves of a slot come at random moments, and looks at an entry too, so that it is looked at within a gap of length g with
/// the probability 1 - exp(-looks * g).
/// </remarks>
internal sealed class SlotSampling(SharedSlots share, Draws draws)
{
    /// <summary>Moves of each sampled slot, on average.</summary>
    private const int MovesPerSample = 8;

    private const double SlotsAtLeast = 512;

    /// <summary>Most slots of a large table hold no entry; so many are sampled that there are some.</summary>
    private const double EntriesAtLeast = 4096;

    /// <summary>Requests a second in vain, of all guests together, as the sample has it.</summary>
    public double Run()
    {
        int sampled = (int)Math.Max(SlotsAtLeast, EntriesAtLeast * share.Slots / share.Entries);
        long refetches = 0;
        for (int i = 0; i < sampled; i++)
        {
            refetches += CountRefetches(entries: draws.Poisson((double)share.Entries / share.Slots));
        }

        double sampledSeconds = (double)sampled * MovesPerSample / share.MovesPerSlot;
        return refetches / sampledSeconds * share.Slots * share.Guests;
    }

    /// <summary>Of one slot, after each of its moves.</summary>
    private long CountRefetches(int entries)
    {
        long refetches = 0;
        for (int move = draws.Poisson(MovesPerSample); move > 0; move--)
        {
            double gap = draws.Exponential() / share.MovesPerSlot;
            double isLookedAt = 1 - Math.Exp(-share.LooksPerEntry * gap);
            for (int entry = 0; entry < entries; entry++)
            {
                refetches += draws.Unit() < isLookedAt ? 1 : 0;
            }
        }

        return refetches;
    }
}
