namespace Coherency.Core.Translation;

/// <summary>What becomes of an attribute that an <see cref="XattrRule"/> is about.</summary>
public enum XattrRuleKind
{
    /// <summary>On the host it has another name, which begins with <see cref="XattrRule.Prepend"/>.</summary>
    Prefix,

    /// <summary>It has the same name.</summary>
    Ok,

    /// <summary>The client may not change it, and does not see it.</summary>
    Bad,

    /// <summary>It does not exist, whatever is done to it: EOPNOTSUPP.</summary>
    Unsupported,
}

/// <summary>One rule of <c>--xattrmap</c>, as virtiofsd 1.14 has them (its doc/xattr-mapping.md).</summary>
/// <param name="ForClient">It is looked at when the client names an attribute: one that begins with <see cref="Key"/>.</param>
/// <param name="ForHost">It is looked at when the host lists one: one that begins with <see cref="Prepend"/>.</param>
public sealed record XattrRule(XattrRuleKind Kind, bool ForClient, bool ForHost, string Key, string Prepend)
{
    private static readonly char[] Spaces = [' ', '\t', '\n', '\r'];

    /// <summary>The rules of a whole option, in their order: the first that is about an attribute counts.</summary>
    /// <exception cref="FormatException">They are none; the message says which and why.</exception>
    public static IReadOnlyList<XattrRule> ParseAll(string rules)
    {
        List<XattrRule> all = [];
        int number = 0;
        bool isLast = false;
        for (string left = rules.TrimStart(Spaces); left.Length > 0; left = left.TrimStart(Spaces))
        {
            number++;
            if (isLast)
            {
                throw new FormatException($"rule {number - 1} is a map, which says all: nothing may follow it");
            }

            string[] parts = left.Split(left[0], 6);
            isLast = parts.Length > 1 && parts[1] == "map";
            int needed = isLast ? 3 : 4;
            if (parts.Length < needed + 2)
            {
                throw new FormatException(
                    $"rule {number} is incomplete: {(isLast ? ":map:KEY:PREPEND:" : ":TYPE:SCOPE:KEY:PREPEND:")} is a rule, with any " +
                    "character for the colon");
            }

            all.AddRange(isLast ? MapAll(parts[2], parts[3]) : [ParseOne(number, parts)]);
            left = left[(parts.Skip(1).Take(needed).Sum(part => part.Length + 1) + 1)..];
        }

        return all.Count > 0 ? all : throw new FormatException("there is no rule in it");
    }

    private static XattrRule ParseOne(int number, string[] parts)
    {
        XattrRuleKind kind = parts[1] switch
        {
            "prefix" => XattrRuleKind.Prefix,
            "ok" => XattrRuleKind.Ok,
            "bad" => XattrRuleKind.Bad,
            "unsupported" => XattrRuleKind.Unsupported,
            _ => throw new FormatException($"rule {number} begins with '{parts[1]}': prefix, ok, bad, unsupported and map are possible"),
        };
        return parts[2] is "client" or "server" or "all"
            ? new XattrRule(kind, ForClient: parts[2] != "server", ForHost: parts[2] != "client", parts[3], parts[4])
            : throw new FormatException($"rule {number} is about '{parts[2]}': client, server and all are possible");
    }

    /// <summary>
    /// What begins with the key gets the prefix on the host. All else is what it is; but if that is said of everything, nothing.
    /// </summary>
    private static XattrRule[] MapAll(string key, string prepend)
    {
        XattrRule prefix = new(XattrRuleKind.Prefix, ForClient: true, ForHost: true, key, prepend);
        return key.Length > 0
            ?
            [
                prefix,
                // Nobody gets at the host's own of that name, nor at the prefixed by the name that they have there.
                new XattrRule(XattrRuleKind.Bad, ForClient: true, ForHost: true, prepend, key),
                new XattrRule(XattrRuleKind.Ok, ForClient: true, ForHost: true, "", ""),
            ]
            : [prefix, new XattrRule(XattrRuleKind.Bad, ForClient: true, ForHost: true, "", "")];
    }
}
