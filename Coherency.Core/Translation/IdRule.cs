using System.Globalization;

namespace Coherency.Core.Translation;

/// <summary>What an <see cref="IdRule"/> does, by virtiofsd's names.</summary>
public enum IdRuleKind
{
    /// <summary>Both ways, one to one.</summary>
    Map,

    /// <summary>The client's ids become the host's, one to one.</summary>
    Guest,

    /// <summary>The host's ids become the client's, one to one.</summary>
    Host,

    /// <summary>All of the client's become one of the host's.</summary>
    SquashGuest,

    /// <summary>All of the host's become one of the client's.</summary>
    SquashHost,

    /// <summary>The client may not use these.</summary>
    ForbidGuest,
}

/// <summary>
/// One value of <c>--translate-uid</c> or <c>--translate-gid</c>: <c>TYPE:FROM:TO:COUNT</c>, or <c>forbid-guest:FROM:COUNT</c>.
/// </summary>
/// <param name="From">
/// First of the ids that are translated: the client's, but those of the host for <c>host</c> and <c>squash-host</c>.
/// </param>
/// <param name="To">What the first becomes; all of them, if they are squashed.</param>
public readonly record struct IdRule(IdRuleKind Kind, uint From, uint To, uint Count)
{
    private static readonly Dictionary<string, IdRuleKind> Kinds = new(StringComparer.OrdinalIgnoreCase)
    {
        ["map"] = IdRuleKind.Map,
        ["guest"] = IdRuleKind.Guest,
        ["host"] = IdRuleKind.Host,
        ["squash-guest"] = IdRuleKind.SquashGuest,
        ["squash-host"] = IdRuleKind.SquashHost,
        ["forbid-guest"] = IdRuleKind.ForbidGuest,
    };

    /// <summary>Several ids become one.</summary>
    public bool Squashes => Kind is IdRuleKind.SquashGuest or IdRuleKind.SquashHost && Count > 1;

    /// <param name="value">Between its parts is one and the same character, any that no part can have.</param>
    /// <exception cref="FormatException">It is no such rule; the message says what would be.</exception>
    public static IdRule Parse(string value)
    {
        int end = value.TakeWhile(c => char.IsLetterOrDigit(c) || c is '-' or '_').Count();
        string[] parts = end < value.Length ? value.Split(value[end]) : [value];
        if (!Kinds.TryGetValue(parts[0], out IdRuleKind kind))
        {
            throw new FormatException($"{string.Join(", ", Kinds.Keys)} are possible, not '{parts[0]}'");
        }

        uint[] numbers = [.. parts.Skip(1).Select(ParseId)];
        return (kind, numbers) switch
        {
            (IdRuleKind.ForbidGuest, [uint from, uint count]) => new IdRule(kind, from, from, count),
            (not IdRuleKind.ForbidGuest, [uint from, uint to, uint count]) => new IdRule(kind, from, to, count),
            (IdRuleKind.ForbidGuest, _) => throw new FormatException("two numbers follow: the first id and how many"),
            _ => throw new FormatException("three numbers follow: the first id, what it becomes, and how many"),
        };
    }

    private static uint ParseId(string number) =>
        !number.StartsWith('-') && uint.TryParse(number, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out uint id)
            ? id
            : throw new FormatException($"'{number}' is no number from 0 to {uint.MaxValue}");
}
