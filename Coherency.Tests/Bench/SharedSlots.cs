namespace Coherency.Tests.Bench;

/// <summary>
/// A share whose guests cache so much that keys meet in one slot of their version tables, and what that costs: entries are
/// asked for again because another key of the same slot was changed. Never stale, only asked for in vain.
/// </summary>
/// <param name="Slots">Of each guest's table (<c>--table-slots</c>).</param>
/// <param name="Entries">What each guest has cached, one for each name and each inode.</param>
/// <param name="Guests">Guests that have cached so much.</param>
/// <param name="Changes">Changes a second of other objects by others: of any guest, by all clients but itself.</param>
/// <param name="SlotsPerChange">Slots that a change moves, such as 3 for UNLINK.</param>
/// <param name="Looks">Cached answers a second that each guest uses, spread evenly over its entries.</param>
internal sealed record SharedSlots(long Slots, long Entries, int Guests, double Changes, int SlotsPerChange, double Looks)
{
    /// <summary>Moves a second of one slot in one guest's table: a change moves it unless each of its keys falls elsewhere.</summary>
    public double MovesPerSlot => Changes * (1 - Math.Pow(1 - (1.0 / Slots), SlotsPerChange));

    /// <summary>Looks a second at one entry.</summary>
    public double LooksPerEntry => Looks / Entries;

    /// <summary>
    /// Requests a second in vain, of all guests together. An entry waits for a move of its slot, 1/moves on average, and then for
    /// the look that finds it moved, 1/looks: it is asked for once in the sum of both.
    /// </summary>
    public double Refetches => Guests * Entries / ((1 / MovesPerSlot) + (1 / LooksPerEntry));

    /// <summary>How many standard errors the mean of some simulations lies off the formula.</summary>
    public static double ErrorsOff(IReadOnlyList<double> rounds, double formula)
    {
        double mean = rounds.Average();
        double variance = rounds.Sum(round => (round - mean) * (round - mean)) / (rounds.Count - 1);
        return Math.Abs(mean - formula) / Math.Sqrt(variance / rounds.Count);
    }
}
