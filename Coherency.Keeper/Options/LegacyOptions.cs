using System.Text;

namespace Coherency.Keeper.Options;

/// <summary>The values of <c>-o</c>, as the C virtiofsd had them: names and values, separated by commas.</summary>
internal sealed class LegacyOptions
{
    private static readonly string[] Valued = ["source", "cache", "loglevel", "sandbox", "xattrmap", "modcaps", "timeout"];

    private static readonly string[] Switches =
    [
        "xattr", "readdirplus", "writeback", "allow_direct_io", "killpriv_v2", "posix_acl", "security_label", "announce_submounts",
        "flock", "posix_lock",
    ];

    private readonly Dictionary<string, string> _values = [];
    private readonly Dictionary<string, bool> _switches = [];

    private LegacyOptions()
    {
    }

    /// <summary>The value of a name; null when it was not given.</summary>
    public string? this[string name] => _values.GetValueOrDefault(name);

    /// <summary>Whether NAME or no_NAME came last; null when neither did.</summary>
    public bool? Switch(string name) => _switches.TryGetValue(name, out bool on) ? on : null;

    /// <exception cref="RefusedException">There is no such option.</exception>
    public static LegacyOptions Parse(IEnumerable<string> lists)
    {
        LegacyOptions options = new();
        foreach (string item in lists.SelectMany(SplitAtCommas))
        {
            options.Take(item);
        }

        return options;
    }

    private void Take(string item)
    {
        int separator = item.IndexOf('=', StringComparison.Ordinal);
        string name = separator < 0 ? item : item[..separator];
        string positive = name.StartsWith("no_", StringComparison.Ordinal) ? name[3..] : name;
        if (separator >= 0 && Array.IndexOf(Valued, name) >= 0)
        {
            _values[name] = item[(separator + 1)..];
        }
        else if (separator < 0 && Array.IndexOf(Switches, positive) >= 0)
        {
            _switches[positive] = positive == name;
        }
        else
        {
            throw new RefusedException(RefusedException.Usage, $"invalid option '-o {item}'");
        }
    }

    /// <summary>Two commas stand for one that belongs to a value.</summary>
    private static IEnumerable<string> SplitAtCommas(string list)
    {
        StringBuilder item = new();
        for (int i = 0; i < list.Length; i++)
        {
            bool isComma = list[i] == ',';
            bool isDoubled = isComma && i + 1 < list.Length && list[i + 1] == ',' && item.ToString().Contains(
                '=', StringComparison.Ordinal);
            if (isComma && !isDoubled)
            {
                yield return item.ToString();
                item.Clear();
                continue;
            }

            item.Append(list[i]);
            i += isDoubled ? 1 : 0;
        }

        yield return item.ToString();
    }
}
