namespace Coherency.Tests.Bench;

/// <summary>
/// The formula for what it costs that keys share slots agrees with simulations, and formulas that are a little wrong do not.
/// </summary>
public class SlotSharingTests
{
    /// <summary>Each with a tree of its own, so that the samples of a result are independent of each other.</summary>
    private const int Rounds = 20;

    /// <summary>
    /// Standard errors that the mean of a simulation may lie off: with <see cref="Rounds"/> rounds, a right formula is that far off
    /// in one of 1,000 simulations (Student's t with 19 degrees of freedom).
    /// </summary>
    private const double ErrorsAllowed = 3.88;

    /// <summary>So many changes that some entries are moved again before they are looked at.</summary>
    private static readonly SharedSlots Small = new(
        Slots: 1 << 14, Entries: 20_000, Guests: 1, Changes: 20_000, SlotsPerChange: 3, Looks: 1_000_000);

    private static readonly SharedSlots Huge = new(
        Slots: 1 << 20, Entries: 100_000_000, Guests: 1_000, Changes: 1_000, SlotsPerChange: 3, Looks: 1_000_000);

    private static readonly SharedSlots Several = Small with { Guests = 4 };

    // Once for all tests: a second each.
    private static readonly Lazy<double[]> EveryEntryOfSeveral = new(() => EveryEntry(Several));
    private static readonly Lazy<double[]> SampledHuge = new(() => Sampled(Huge));

    /// <summary>Each leaves one thing out of account.</summary>
    private static readonly Dictionary<string, Func<SharedSlots, double>> WrongFormulas = new()
    {
        ["half as many slots"] = share => (share with { Slots = share.Slots / 2 }).Refetches,
        ["one slot less for each change"] = share => (share with { SlotsPerChange = share.SlotsPerChange - 1 }).Refetches,
        ["entries are looked at all the time"] = share => share.Guests * share.Entries * share.MovesPerSlot,
        ["a tenth more entries"] = share => (share with { Entries = share.Entries * 11 / 10 }).Refetches,
        ["a guest sees its own changes"] = share => (share with { Changes = share.Changes * 5 / 4 }).Refetches,
    };

    public static TheoryData<string> WrongFormulaNames => [.. WrongFormulas.Keys];

    [Fact]
    public void Every_entry_with_the_real_hash_agrees_with_the_formula() =>
        Assert.InRange(SharedSlots.ErrorsOff(EveryEntryOfSeveral.Value, Several.Refetches), 0, ErrorsAllowed);

    [Fact]
    public void A_hundred_million_entries_in_a_thousand_guests_agree_with_the_formula() =>
        Assert.InRange(SharedSlots.ErrorsOff(SampledHuge.Value, Huge.Refetches), 0, ErrorsAllowed);

    [Fact]
    public void One_guest_agrees_with_the_formula_by_every_entry_and_by_samples()
    {
        Assert.InRange(SharedSlots.ErrorsOff(EveryEntry(Small), Small.Refetches), 0, ErrorsAllowed);
        Assert.InRange(SharedSlots.ErrorsOff(Sampled(Small), Small.Refetches), 0, ErrorsAllowed);
    }

    [Theory]
    [MemberData(nameof(WrongFormulaNames))]
    public void A_formula_that_is_a_little_wrong_is_found_by_every_entry(string wrong) =>
        Assert.True(SharedSlots.ErrorsOff(EveryEntryOfSeveral.Value, WrongFormulas[wrong](Several)) > ErrorsAllowed);

    [Theory]
    [MemberData(nameof(WrongFormulaNames))]
    public void A_formula_that_is_a_little_wrong_is_found_by_samples(string wrong) =>
        Assert.True(SharedSlots.ErrorsOff(SampledHuge.Value, WrongFormulas[wrong](Huge)) > ErrorsAllowed);

    [Fact]
    public void With_few_changes_the_formula_is_entries_times_changes_times_slots_of_a_change_by_slots()
    {
        SharedSlots share = new(Slots: 262_144, Entries: 100_000, Guests: 1, Changes: 100, SlotsPerChange: 3, Looks: 1e12);
        Assert.Equal(100_000.0 * 100 * 3 / 262_144, share.Refetches, tolerance: 0.01);
    }

    [Fact]
    public void No_more_is_asked_for_in_vain_than_is_looked_at() =>
        Assert.InRange((Small with { Changes = 1e12 }).Refetches, 0.99 * Small.Looks, Small.Looks);

    private static double[] EveryEntry(SharedSlots share) =>
        [.. Enumerable.Range(1, Rounds).Select(round => new EntrySimulation(share, (ulong)round).Run())];

    private static double[] Sampled(SharedSlots share) =>
        [.. Enumerable.Range(1, Rounds).Select(round => new SlotSampling(share, new Draws((ulong)round)).Run())];
}
