using System.Globalization;
using System.Text;
using Coherency.Core.Attaching;

namespace Coherency.Keeper.Options;

/// <summary>What the values of options may be.</summary>
internal static class OptionValues
{
    private const int TagBytesMax = 36;

    /// <exception cref="RefusedException">It is none of these.</exception>
    public static string OneOf(string option, string value, params ReadOnlySpan<string> possible) =>
        possible.Contains(value) ? value : throw Invalid(option, value, $"{string.Join(", ", possible!)} are possible");

    public static LineSeverity Severity(string option, string value) =>
        Enum.TryParse(
            OneOf(option, value.ToLowerInvariant(), "off", "error", "warn", "info", "debug", "trace"),
            ignoreCase: true,
            out LineSeverity severity)
            ? severity
            : throw Invalid(option, value, "it is no level");

    public static ulong Number(string option, string value, ulong max) =>
        ulong.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out ulong number) && number <= max
            ? number
            : throw Invalid(option, value, $"a number from 0 to {max} is right");

    public static string Tag(string value) => Encoding.UTF8.GetByteCount(value) is > 0 and <= TagBytesMax
        ? value
        : throw Invalid("--tag", value, $"a tag has 1 to {TagBytesMax} bytes");

    /// <summary>A map of a user namespace: three numbers, each with the same delimiter before it and behind the last.</summary>
    public static void CheckNamespaceMap(string option, string value)
    {
        string[] parts = value.Length > 0 ? value.Split(value[0]) : [];
        if (parts is not ["", var inside, var outside, var count, ""] || !AreIds(inside, outside, count))
        {
            throw Invalid(option, value, ":INSIDE:OUTSIDE:COUNT: is right, three numbers");
        }
    }

    /// <summary>What a parser makes of a value.</summary>
    public static T Parsed<T>(string option, string value, Func<string, T> parse)
    {
        try
        {
            return parse(value);
        }
        catch (FormatException malformed)
        {
            throw Invalid(option, value, malformed.Message);
        }
    }

    public static RefusedException Invalid(string option, string value, string why) =>
        new(RefusedException.Usage, $"invalid value '{value}' for '{option}': {why}");

    private static bool AreIds(params ReadOnlySpan<string> numbers)
    {
        foreach (string number in numbers)
        {
            if (!uint.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out _))
            {
                return false;
            }
        }

        return true;
    }
}
