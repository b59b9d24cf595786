using System.CommandLine.Parsing;
using System.Globalization;

namespace Coherency.Daemon.Commands.Remote;

/// <summary>Times as people type them: a number and a unit.</summary>
internal static class TimeText
{
    private static readonly (string Unit, TimeSpan Time)[] Units =
    [
        ("ms", TimeSpan.FromMilliseconds(1)), ("s", TimeSpan.FromSeconds(1)), ("m", TimeSpan.FromMinutes(1)),
        ("h", TimeSpan.FromHours(1)), ("d", TimeSpan.FromDays(1)),
    ];

    /// <summary>For an option; says what is wrong to its result.</summary>
    public static TimeSpan? Parse(ArgumentResult result)
    {
        string text = result.Tokens.Count == 1 ? result.Tokens[0].Value : "";
        foreach ((string unit, TimeSpan time) in Units)
        {
            if (text.EndsWith(unit, StringComparison.Ordinal)
                && double.TryParse(
                    text.AsSpan(0, text.Length - unit.Length),
                    NumberStyles.AllowDecimalPoint,
                    CultureInfo.InvariantCulture,
                    out double count)
                && count * time.TotalDays <= TimeSpan.MaxValue.TotalDays / 2)
            {
                return count * time;
            }
        }

        result.AddError($"{text} is no time: 500ms, 10s, 5m, 1h or 2d are");
        return null;
    }
}
