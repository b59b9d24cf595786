using Coherency.Core.Translation;

namespace Coherency.Daemon.Configuration;

/// <summary>Reads the rules by which a guest's ids and names of attributes become the host's.</summary>
internal static class TranslationRules
{
    /// <summary>null where there are no rules.</summary>
    /// <exception cref="UsageException">They make no sense, or do not go together.</exception>
    public static IdMap? ReadIds(string option, IReadOnlyList<string> values, bool withAcls)
    {
        if (values.Count == 0)
        {
            return null;
        }

        IdRule[] rules = [.. values.Select(value => Parse(option, value, IdRule.Parse))];
        return IdMap.FindFault(rules, withAcls) is { } fault ? throw new UsageException($"--{option}: {fault}") : new IdMap(rules);
    }

    /// <inheritdoc cref="ReadIds"/>
    public static XattrMap? ReadNames(string option, string? value) =>
        value is null ? null : new XattrMap(Parse(option, value, XattrRule.ParseAll));

    private static T Parse<T>(string option, string value, Func<string, T> parse)
    {
        try
        {
            return parse(value);
        }
        catch (FormatException malformed)
        {
            throw new UsageException($"--{option} '{value}': {malformed.Message}");
        }
    }
}
