using Coherency.Tests.Linearizability;

namespace Coherency.Tests.Histories;

public sealed class GuestHistoryLogTests
{
    private const string Clock = "clock 1000 1020\n";

    [Fact]
    public void What_may_have_overlapped_by_the_clocks_is_no_violation() =>
        Assert.Empty(Parse("0 100 size 0 write 5", "1115 1118 size 0 read 0").FindViolations());

    [Fact]
    public void What_came_later_by_any_clock_is_one()
    {
        Violation violation = Assert.Single(Parse("0 100 size 0 write 5", "1121 1130 size 0 read 0").FindViolations());
        Assert.Equal(new ReadValue(0), violation.Last.Transition);
    }

    [Fact]
    public void Bounds_of_several_conversations_all_hold()
    {
        GuestHistoryLog log = GuestHistoryLog.Parse(Clock + "0 1 mode 0 read 420\nclock 1010 1030\n", "1100 1101 mode 0 read 420");
        Assert.Equal((1010, 1020), (log.ClockLow, log.ClockHigh));
        Assert.Equal(2, log.Operations);
    }

    [Fact]
    public void Clocks_of_different_pace_are_refused() =>
        Assert.Throws<FormatException>(() => GuestHistoryLog.Parse(Clock + "clock 1021 1030\n", ""));

    [Fact]
    public void Every_action_of_a_pair_is_understood()
    {
        string[] actions =
        [
            "absent 0 0", "make 0 7", "exists 0 0", "find 0 7", "one-absent 0 0", "rename-new 0 0", "rename 1 0",
            "make 1 8", "exchange 0 0", "find 0 8", "remove 0 0", "find 1 7",
        ];
        string log = string.Join('\n', actions.Select((action, index) => $"{2 * index} {(2 * index) + 1} pair 0 {action}"));
        Assert.Empty(Parse(log, "").FindViolations());
        Assert.Single(Parse($"{log}\n100 101 pair 0 find 1 8", "").FindViolations());
    }

    [Theory]
    [InlineData("links 0", "more 1", "read 3", "read 2")]
    [InlineData("links 0", "fewer 1", "read 1", "read 2")]
    [InlineData("time 0", "reached 7", "reached 7", "reached 6")]
    [InlineData("mode 0", "write 4", "allows 4", "denies 4")]
    [InlineData("mode 0", "write 2", "denies 4", "allows 4")]
    [InlineData("owner 0", "write 1000", "is 1000", "is-not 1000")]
    [InlineData("owner 0", "write 1001", "is-not 1000", "is 1000")]
    [InlineData("record 0", "write 5", "read 5", "read 0")]
    public void What_a_condition_excludes_is_a_violation(string what, string change, string right, string wrong)
    {
        string log = $"0 1 {what} {change}\n2 3 {what} {right}";
        Assert.Empty(Parse(log, "").FindViolations());
        Assert.Single(Parse($"{log}\n4 5 {what} {wrong}", "").FindViolations());
    }

    private static History Parse(string first, string second) => GuestHistoryLog.Parse(Clock + first, second).History;
}
