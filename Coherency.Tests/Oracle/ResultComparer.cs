using System.Globalization;

namespace Coherency.Tests.Oracle;

/// <summary>A field of attributes and its two values, or two whole answers.</summary>
internal readonly record struct FieldDifference(string Name, string Expected, string Got);

/// <summary>
/// Holds a share's answers against the reference's. Equal but for what cannot be: a file's inode number is another one, but the same
/// in each answer; a time is set by the same step.
/// </summary>
internal sealed class ResultComparer
{
    /// <summary>Kernels keep the time of change in ticks; the longest that Linux has (CONFIG_HZ=100).</summary>
    private const long TickNs = 10_000_000;

    private readonly List<(long Start, long End)> _bursts = [];
    private readonly Dictionary<string, string> _fileOf = [];
    private readonly Dictionary<string, string> _numberOf = [];

    public static long NowNs() => (DateTime.UtcNow - DateTime.UnixEpoch).Ticks * 100;

    /// <summary>Times that are met from now on can have been set then. Both sides ran at once.</summary>
    public void AddBurst((long StartNs, long EndNs) burst) => _bursts.Add(burst);

    /// <summary>All fields that differ; an answer that is not attributes is one field.</summary>
    public IReadOnlyList<FieldDifference> Compare(string expected, string got)
    {
        if (!expected.StartsWith("mode=", StringComparison.Ordinal) || !got.StartsWith("mode=", StringComparison.Ordinal))
        {
            return expected == got ? [] : [new FieldDifference("answer", expected, got)];
        }

        Dictionary<string, string> left = FieldsOf(expected);
        Dictionary<string, string> right = FieldsOf(got);
        // A reused number is another file's: the time of its making tells them apart.
        string birth = left.GetValueOrDefault("btime", "");
        return
        [
            .. left.Where(field => !right.TryGetValue(field.Key, out string? other) || !AreEqual(field.Value, other, birth))
                .Select(field => new FieldDifference(field.Key, field.Value, right.GetValueOrDefault(field.Key, ""))),
        ];
    }

    /// <summary>True for a time that was set while calls were made.</summary>
    public static bool IsWithin((long Start, long End) burst, string time) => IsWithin(burst, ToNs(time));

    private static Dictionary<string, string> FieldsOf(string attributes) =>
        attributes.Split(' ').Select(field => field.Split('=')).ToDictionary(parts => parts[0], parts => parts[1]);

    private bool AreEqual(string expected, string got, string birth) => expected[0] switch
    {
        't' => AreOneStep(ToNs(expected), ToNs(got)),
        'i' => IsSameFile(expected + birth, got),
        _ => expected == got,
    };

    private bool IsSameFile(string file, string number)
    {
        if (_numberOf.TryGetValue(file, out string? known))
        {
            return known == number && _fileOf[number] == file;
        }

        _numberOf[file] = number;
        _fileOf[number] = file;
        return true;
    }

    private bool AreOneStep(long expected, long got) =>
        expected == got || _bursts.Any(burst => IsWithin(burst, expected) && IsWithin(burst, got));

    private static bool IsWithin((long Start, long End) burst, long time) => burst.Start - TickNs <= time && time <= burst.End;

    private static long ToNs(string time)
    {
        string[] parts = time[1..].Split('.');
        return (long.Parse(parts[0], CultureInfo.InvariantCulture) * 1_000_000_000) + long.Parse(parts[1], CultureInfo.InvariantCulture);
    }
}
