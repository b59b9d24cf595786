using Xunit.Abstractions;

namespace Coherency.Tests.Linearizability;

public sealed class LinearizabilityCheckerTests(ITestOutputHelper output)
{
    private const int RandomHistories = 20_000;
    private const int StepsMax = 7;
    private const int Ticks = 12;

    private static readonly CheckedObject Register1 = new("register", Register.Holding(0));

    [Fact]
    public void What_overlaps_a_write_may_read_before_or_after_it()
    {
        AssertLinearizable(Write(1, 0, 10), Read(0, 1, 5), Read(1, 6, 9));
        AssertLinearizable(Write(1, 0, 10), Read(0, 1, 5), Read(1, 2, 4), Read(1, 6, 9));
    }

    [Fact]
    public void An_overwritten_value_is_not_read_again() =>
        AssertViolation(Write(1, 0, 1), Write(2, 2, 3), Read(1, 4, 5));

    [Fact]
    public void A_value_is_not_read_before_its_write_is_called() =>
        AssertViolation(Read(1, 0, 1), Write(1, 2, 3));

    [Fact]
    public void Reads_of_one_write_do_not_go_back() =>
        AssertViolation(Write(1, 0, 10), Read(1, 1, 2), Read(0, 3, 4));

    [Fact]
    public void Two_observers_do_not_see_writes_in_two_orders() =>
        AssertViolation(Write(1, 0, 10), Write(2, 0, 10), Read(1, 1, 2), Read(2, 3, 4), Read(1, 11, 12));

    [Fact]
    public void What_nobody_knew_is_read_the_same_twice()
    {
        CheckedObject unknown = new("unknown", Register.Unknown);
        Step[] same = [At(unknown, new ReadValue(5), 0, 1), At(unknown, new ReadValue(5), 2, 3)];
        Step[] different = [same[0], At(unknown, new ReadValue(6), 2, 3)];
        Assert.Null(LinearizabilityChecker.FindViolation(unknown.Initial, same));
        Assert.NotNull(LinearizabilityChecker.FindViolation(unknown.Initial, different));
    }

    [Fact]
    public void A_violation_names_only_what_contradicts_it()
    {
        List<Step> steps = [.. Enumerable.Range(0, 100)
            .SelectMany(i => new[] { Write((ulong)i, 10 * i, (10 * i) + 3), Read((ulong)i, (10 * i) + 4, (10 * i) + 5) })];
        Step stale = Read(98, 2000, 2001);
        steps.Add(stale);
        Violation? violation = LinearizabilityChecker.FindViolation(Register1.Initial, steps);
        Assert.NotNull(violation);
        Assert.Same(stale, violation.Last);
        Assert.Equal([stale], violation.Steps);
        Assert.Equal(Register.Holding(99), violation.Known);
        Assert.Equal([97UL, 98UL, 99UL], violation.Before.Select(step => ((WriteValue)step.Transition).Value));
    }

    [Fact]
    public void Random_histories_of_a_register_are_judged_as_by_trying_every_order() =>
        CompareWithEveryOrder(
            Register1, random => random.Next(2) == 0 ? new WriteValue((ulong)random.Next(3)) : new ReadValue((ulong)random.Next(3)));

    [Fact]
    public void Random_histories_of_an_unknown_register_are_judged_as_by_trying_every_order() => CompareWithEveryOrder(
        new CheckedObject("unknown", Register.Unknown),
        random => random.Next(3) == 0 ? new WriteValue((ulong)random.Next(3)) : new ReadValue((ulong)random.Next(3)));

    [Fact]
    public void Random_histories_of_a_pair_of_names_are_judged_as_by_trying_every_order() =>
        CompareWithEveryOrder(new CheckedObject("pair", new ObjectState(1, NamePair.Absent)), NextOfPair);

    private static Transition NextOfPair(Random random)
    {
        int name = random.Next(2);
        ulong inode = (ulong)random.Next(1, 3);
        return random.Next(9) switch
        {
            0 => new FindName(name, (ulong)random.Next(3)),
            1 => new SeeName(name, random.Next(2) == 0, "test"),
            2 => new SeeOneAbsent(),
            3 => new CountLinks(inode, (uint)random.Next(3)),
            4 => new MakeName(name, inode),
            5 => new LinkName(name, inode),
            6 => new RemoveName(name),
            7 => new RenameName(name, random.Next(2) == 0),
            _ => new ExchangeNames(),
        };
    }

    private void CompareWithEveryOrder(CheckedObject checkedObject, Func<Random, Transition> next)
    {
        const int seed = 1;
        Random random = new(seed);
        int linearizable = 0;
        for (int i = 0; i < RandomHistories; i++)
        {
            Step[] steps = [.. Enumerable.Range(0, random.Next(1, StepsMax + 1)).Select(_ => NextStep(random, checkedObject, next))];
            bool expected = EveryOrder.Explains(checkedObject.Initial, steps);
            Violation? violation = LinearizabilityChecker.FindViolation(checkedObject.Initial, steps);
            Assert.True(
                expected == violation is null,
                $"history {i}: every order says {expected}\n{string.Join('\n', steps.Select(step => step.ToString()))}");
            if (violation is not null)
            {
                Assert.False(EveryOrder.Explains(violation.Known, violation.Steps), $"history {i}: {violation}");
            }

            linearizable += expected ? 1 : 0;
        }

        output.WriteLine($"{linearizable} of {RandomHistories} are linearizable");
        Assert.InRange(linearizable, RandomHistories / 10, RandomHistories * 9 / 10);
    }

    private static Step NextStep(Random random, CheckedObject checkedObject, Func<Random, Transition> next)
    {
        int start = random.Next(Ticks);
        return At(checkedObject, next(random), start, start + random.Next(Ticks / 2));
    }

    private static void AssertLinearizable(params Step[] steps) =>
        Assert.Null(LinearizabilityChecker.FindViolation(Register1.Initial, steps));

    private static void AssertViolation(params Step[] steps) =>
        Assert.NotNull(LinearizabilityChecker.FindViolation(Register1.Initial, steps));

    private static Step Write(ulong value, long start, long end) => At(Register1, new WriteValue(value), start, end);

    private static Step Read(ulong value, long start, long end) => At(Register1, new ReadValue(value), start, end);

    private static Step At(CheckedObject checkedObject, Transition transition, long start, long end) =>
        new(new Operation("test", start, end), checkedObject, transition);
}
