using System.Globalization;
using Coherency.Tests.Linearizability;

namespace Coherency.Tests.Histories;

/// <summary>
/// Puts together what two guests wrote down (eng/vm/guest-history.c says how). Their clocks differ by a number of which only
/// bounds are known, so an operation of the second guest counts from the earliest that it may have been called until the
/// latest that it may have returned: what is a violation then, is one.
/// </summary>
internal sealed class GuestHistoryLog
{
    /// <summary>Its name in its parent and its own dot, where subdirectories are counted.</summary>
    private const ulong LinksOfEmptyDirectory = 2;

    private readonly Dictionary<string, CheckedObject> _objects = [];
    private readonly List<Step> _steps = [];
    private readonly HashSet<Operation> _operations = [];

    /// <param name="first">The words of each line of role 0.</param>
    /// <param name="second">Those of role 1.</param>
    private GuestHistoryLog(IEnumerable<string[]> first, IEnumerable<string[]> second)
    {
        ILookup<bool, string[]> lines = first.ToLookup(words => words[0] == "clock");
        ClockLow = lines[true].Max(words => long.Parse(words[1], CultureInfo.InvariantCulture));
        ClockHigh = lines[true].Min(words => long.Parse(words[2], CultureInfo.InvariantCulture));
        if (ClockLow > ClockHigh)
        {
            throw new FormatException($"the clocks did not go at the same pace: {ClockLow} to {ClockHigh}");
        }

        foreach (string[] words in lines[false])
        {
            Add("first", words, 0, 0);
        }

        foreach (string[] words in second)
        {
            Add("second", words, ClockHigh, ClockLow);
        }
    }

    /// <summary>The second guest's clock is ahead of the first one's by at least so many ticks.</summary>
    public long ClockLow { get; }

    /// <summary>And by at most so many.</summary>
    public long ClockHigh { get; }

    public int Operations => _operations.Count;

    public History History => new(_steps);

    /// <param name="first">What the guest of role 0 wrote.</param>
    /// <param name="second">What that of role 1 wrote.</param>
    public static GuestHistoryLog Parse(string first, string second) => new(Lines(first), Lines(second));

    private void Add(string actor, string[] words, long aheadAtStart, long aheadAtEnd)
    {
        if (words is not [string start, string end, string kind, string index, string action, .. string[] arguments])
        {
            throw new FormatException($"not a line of a history: {string.Join(' ', words)}");
        }

        Operation operation = new(
            actor,
            long.Parse(start, CultureInfo.InvariantCulture) - aheadAtStart,
            long.Parse(end, CultureInfo.InvariantCulture) - aheadAtEnd);
        _operations.Add(operation);
        ulong[] numbers = [.. arguments.Select(argument => ulong.Parse(argument, CultureInfo.InvariantCulture))];
        _steps.Add(new Step(operation, ObjectOf(kind, index), TransitionOf(action, numbers)));
    }

    private CheckedObject ObjectOf(string kind, string index)
    {
        string name = $"{kind} {index}";
        if (!_objects.TryGetValue(name, out CheckedObject? known))
        {
            known = new CheckedObject(name, kind switch
            {
                "pair" => NamePair.BothAbsent,
                "size" or "record" or "owner" or "time" => Register.Holding(0),
                "links" => Register.Holding(LinksOfEmptyDirectory),
                "mode" or "mtime" => Register.Unknown,
                _ => throw new FormatException($"nothing of a history: {kind}"),
            });
            _objects.Add(name, known);
        }

        return known;
    }

    private static Transition TransitionOf(string action, ulong[] numbers) => action switch
    {
        "read" => new ReadValue(numbers[0]),
        "write" => new WriteValue(numbers[0]),
        "more" => new CountUp(),
        "fewer" => new CountDown(),
        "reached" => new ReachValue(numbers[0]),
        "allows" => new ReadBits(numbers[0], true),
        "denies" => new ReadBits(numbers[0], false),
        "is" => new CompareValue(numbers[0], true),
        "is-not" => new CompareValue(numbers[0], false),
        "find" => new FindName((int)numbers[0], numbers[1]),
        "exists" => new SeeName((int)numbers[0], true, "listed, or a change refused"),
        "absent" => new SeeName((int)numbers[0], false, "not listed, or a change refused"),
        "one-absent" => new SeeOneAbsent(),
        "make" => new MakeName((int)numbers[0], numbers[1]),
        "remove" => new RemoveName((int)numbers[0]),
        "rename" => new RenameName((int)numbers[0], Replaces: true),
        "rename-new" => new RenameName((int)numbers[0], Replaces: false),
        "exchange" => new ExchangeNames(),
        _ => throw new FormatException($"nothing that a guest does: {action}"),
    };

    private static IEnumerable<string[]> Lines(string log) =>
        log.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(' '));
}
