using System.Text;
using Coherency.Core.Linux;

namespace Coherency.Core.Translation;

/// <summary>How names of extended attributes become the host's and back, by an ordered list of <see cref="XattrRule"/>s.</summary>
public sealed class XattrMap
{
    private readonly Rule[] _rules;

    public XattrMap(IEnumerable<XattrRule> rules) => _rules = [.. rules.Select(
        rule => new Rule(rule, Encoding.UTF8.GetBytes(rule.Key), Encoding.UTF8.GetBytes(rule.Prepend)))];

    /// <summary>What an attribute that the client names is called on the host.</summary>
    /// <param name="prefix">Goes before the name.</param>
    /// <returns>EPERM where the client may not change it, EOPNOTSUPP where there is no such thing. What no rule is about is the
    /// former.</returns>
    public Errno ToHost(ReadOnlySpan<byte> name, out ReadOnlySpan<byte> prefix)
    {
        prefix = default;
        foreach (Rule rule in _rules)
        {
            if (rule.Is.ForClient && name.StartsWith(rule.Key))
            {
                prefix = rule.Is.Kind == XattrRuleKind.Prefix ? rule.Prepend : default;
                return rule.Is.Kind switch
                {
                    XattrRuleKind.Bad => Errno.EPERM,
                    XattrRuleKind.Unsupported => Errno.EOPNOTSUPP,
                    _ => Errno.None,
                };
            }
        }

        return Errno.EPERM;
    }

    /// <summary>How many bytes at the start of a host's name the client is not shown; -1 if it is not shown the attribute.</summary>
    public int BytesHidden(ReadOnlySpan<byte> hostName)
    {
        foreach (Rule rule in _rules)
        {
            if (rule.Is.ForHost && hostName.StartsWith(rule.Prepend))
            {
                return rule.Is.Kind switch
                {
                    XattrRuleKind.Prefix => rule.Prepend.Length,
                    XattrRuleKind.Ok => 0,
                    _ => -1,
                };
            }
        }

        return -1;
    }

    private sealed record Rule(XattrRule Is, byte[] Key, byte[] Prepend);
}
