using System.Globalization;
using Coherency.Bench.Results;

namespace Coherency.Bench.SlotSharing;

/// <summary>A <see cref="SharedSlots"/> to simulate, and how.</summary>
/// <param name="IsEachEntry">Every entry with the real hash, instead of a sample of slots with an ideal one.</param>
internal sealed record SharingCase(SharedSlots Share, bool IsEachEntry)
{
    /// <summary>Each with a tree of its own, so that the samples of a result are independent of each other.</summary>
    public const int Rounds = 20;

    public const string SampledName = "simulated, slots sampled";
    public const string EachEntryName = "simulated, each entry";
    public const string FormulaName = "formula";

    private const string TitleSeparator = ", ";

    /// <summary>As many as UNLINK moves, more than most operations.</summary>
    private const int SlotsPerChange = 3;

    /// <summary>What a guest's programs may ask for in a second: a stat that is answered from the cache takes about a microsecond.</summary>
    private const double Looks = 1_000_000;

    /// <summary>Beyond so many slots for each entry there is nothing to see.</summary>
    private const long SlotsPerEntryMax = 256;

    private static readonly long[] Slots = [1 << 16, 1 << 18, 1 << 20, 1 << 22, 1 << 24, 1 << 26, 1 << 28];

    private static readonly long[] Entries = [10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

    private static readonly double[] Changes = [10, 1_000];

    /// <summary>Samples, up to 100,000,000 entries in each of 1,000 guests, and every entry where that is quick.</summary>
    public static IReadOnlyList<SharingCase> All =>
    [
        .. from changes in Changes from entries in Entries from slots in Slots
           where slots <= entries * SlotsPerEntryMax
           select Sampled(slots, entries, changes, guests: 1),
        .. from slots in Slots select Sampled(slots, 100_000_000, changes: 1_000, guests: 1_000),
        EachEntry(1 << 16, 10_000, changes: 1_000, guests: 1),
        EachEntry(1 << 18, 10_000, changes: 1_000, guests: 1),
        EachEntry(1 << 16, 100_000, changes: 1_000, guests: 1),
        EachEntry(1 << 18, 100_000, changes: 1_000, guests: 1),
        EachEntry(1 << 18, 1_000_000, changes: 1_000, guests: 1),
        EachEntry(1 << 16, 10_000, changes: 1_000, guests: 8),
    ];

    public string Scenario => string.Create(CultureInfo.InvariantCulture, $"slot-sharing-{Share.Entries}-entries-{Share.Changes}-changes");

    public string Title => string.Create(CultureInfo.InvariantCulture, $"{Share.Entries:#,0} entries{TitleSeparator}{Share.Changes:#,0} changes/s");

    /// <summary>The parts of a <see cref="Title"/>.</summary>
    public static (string Entries, string Changes) SplitTitle(string title)
    {
        int separator = title.IndexOf(TitleSeparator, StringComparison.Ordinal);
        return separator < 0 ? (title, title) : (title[..separator], title[(separator + TitleSeparator.Length)..]);
    }

    public double[] Simulate() => [.. Enumerable.Range(1, Rounds).Select(round => SimulateRound((ulong)round))];

    /// <summary>What was simulated, and the formula's value for the same.</summary>
    public IEnumerable<Observation> Observe()
    {
        double[] samples = Simulate();
        double off = Agreement.ErrorsOff(samples, Share.Refetches);
        string remark = string.Create(
            CultureInfo.InvariantCulture,
            $"{(off <= Agreement.ErrorsAllowed ? "agrees with" : "DIFFERS from")} the formula: {off:0.0} standard errors, {Agreement.ErrorsAllowed} allowed");
        yield return Observation(IsEachEntry ? EachEntryName : SampledName, samples, remark);
        yield return Observation(FormulaName, [Share.Refetches], remark: null);
    }

    private Observation Observation(string name, double[] samples, string? remark) => new(
        BenchLevel.Table, Scenario, Title, new Conditions(Guests: Share.Guests, Size: Share.Slots), name, Quantity.FalseSharing, samples, remark);

    private double SimulateRound(ulong round)
    {
        // Cases that drew the same numbers would be wrong together.
        ulong seed = round * (ulong)(Share.Slots + Share.Entries + Share.Guests) * (ulong)Share.Changes;
        return IsEachEntry ? new EntrySimulation(Share, seed).Run() : new SlotSampling(Share, new Draws(seed)).Run();
    }

    private static SharingCase Sampled(long slots, long entries, double changes, int guests) =>
        new(new SharedSlots(slots, entries, guests, changes, SlotsPerChange, Looks), IsEachEntry: false);

    private static SharingCase EachEntry(long slots, long entries, double changes, int guests) =>
        new(new SharedSlots(slots, entries, guests, changes, SlotsPerChange, Looks), IsEachEntry: true);
}
