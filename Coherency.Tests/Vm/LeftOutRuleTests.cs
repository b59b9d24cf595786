using Coherency.Core.Fuse;
using Coherency.Tests.Oracle;
using Xunit;
using Xunit.Abstractions;

namespace Coherency.Tests.Vm;

/// <summary>A test that cannot fail shows nothing: with the rule left out that it is about, each of these has to.</summary>
[Trait("Category", "Vm")]
[Collection(CoherentTestingCollection.Name)]
public sealed class LeftOutRuleTests(CoherentTestingGuests guests, ITestOutputHelper output)
{
    [Fact]
    public Task Data() => ExpectFoundOutAsync(
        ModuleRule.Data, new StableHiddenTimeTests(guests), test => test.What_another_guest_has_written_is_read());

    [Fact]
    public Task Listings() => ExpectFoundOutAsync(
        ModuleRule.Listings, new StableHiddenTimeTests(guests), test => test.What_another_guest_has_made_is_listed());

    [Fact]
    public Task Owner() => ExpectFoundOutAsync(
        ModuleRule.Owner, new StableOwnerDecisionTests(guests),
        test => test.A_decision_by_owner_or_mode_is_made_by_what_another_guest_has_made_of_them());

    [Fact]
    public Task Tails() => ExpectFoundOutAsync(
        ModuleRule.Tails,
        new StableAppendedMappingTests(guests),
        test => test.A_page_that_is_dirty_through_a_mapping_does_not_overwrite_what_another_guest_has_appended());

    [Fact]
    public Task Own_changes() => ExpectFoundOutAsync(
        ModuleRule.OwnChanges,
        new StableOwnChangeTests(guests),
        test => test.Attributes_that_are_on_their_way_while_this_guest_changes_them_are_not_believed_after_it(
            askedBecauseOfOwnChange: true));

    [Fact]
    public Task Governed() => ExpectFoundOutAsync(
        ModuleRule.Governed,
        new StableOtherWayTests(guests),
        test => test.What_another_guest_changes_is_seen_on_both_ways_whichever_was_seen_first("original", "bound"));

    [Fact]
    public Task Clamp() => ExpectFoundOutAsync(
        ModuleRule.Clamp, new StableGrowingFileTests(guests, output),
        test => test.A_read_shows_no_zeros_where_another_guest_has_appended_text());

    [Fact]
    public Task Evictions() => ExpectFoundOutAsync(
        ModuleRule.Evictions,
        new StableEvictionTests(guests),
        test => test.What_is_on_its_way_while_an_inode_is_changed_and_forgotten_is_not_believed(FuseOpcode.ReadDirPlus, "ls d", "d", 1));

    [Fact]
    public Task Leases() => ExpectFoundOutAsync(
        ModuleRule.Leases, new StableLeaseTests(guests), test => test.A_lease_is_refused_for_another_guest_would_not_break_it("read"));

    [Fact]
    public Task Faults() => ExpectFoundOutAsync(
        ModuleRule.Faults, new StableMappingTests(guests),
        test => test.A_fault_whose_question_fails_is_an_error_not_an_old_page(0, "store"));

    /// <summary>With all rules in the same guests it passes: so it is the rule, and not the build or the machine.</summary>
    private async Task ExpectFoundOutAsync<T>(ModuleRule rule, T test, Func<T, Task> run)
        where T : GuestTest
    {
        Assert.Null(await RunAsync(test, run));
        await guests.LeaveOutAsync(rule);
        Exception? found = await RunAsync(test, run);
        await guests.LeaveOutAsync();
        output.WriteLine($"without {rule}: {found?.Message}");
        Assert.NotNull(found);
    }

    private static async Task<Exception?> RunAsync<T>(T test, Func<T, Task> run)
        where T : GuestTest
    {
        await test.InitializeAsync();
        Exception? found = await Record.ExceptionAsync(() => run(test));
        await test.DisposeAsync();
        return found;
    }
}
