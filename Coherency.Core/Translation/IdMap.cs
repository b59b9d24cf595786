namespace Coherency.Core.Translation;

/// <summary>
/// How the ids of a client's users, or groups, become the host's and back, as virtiofsd 1.14 does it. What no rule names stays as it is.
/// </summary>
public sealed class IdMap
{
    /// <summary>Stands for no id, in chown(2) as in requests of clients that translate ids themselves (FUSE_INVALID_UIDGID).</summary>
    public const uint None = uint.MaxValue;

    private readonly Range[] _toHost;
    private readonly Range[] _toClient;

    /// <exception cref="ArgumentException">Two rules translate one id, or one goes beyond the last id; the message says which.</exception>
    public IdMap(IReadOnlyCollection<IdRule> rules)
    {
        _toHost = Sort(rules.Where(rule => rule.Kind is not (IdRuleKind.Host or IdRuleKind.SquashHost)).Select(
            rule => new Range(rule.From, rule.To, rule.Count, rule.Kind)));
        _toClient = Sort(rules.Where(rule => rule.Kind is IdRuleKind.Host or IdRuleKind.SquashHost or IdRuleKind.Map).Select(
            rule => rule.Kind == IdRuleKind.Map
                ? new Range(rule.To, rule.From, rule.Count, rule.Kind)
                : new Range(rule.From, rule.To, rule.Count, rule.Kind)));
    }

    /// <summary>Why the rules cannot be carried out; null if they can.</summary>
    /// <param name="withAcls">ACLs are translated as well, in which each user may have one entry only.</param>
    public static string? FindFault(IReadOnlyCollection<IdRule> rules, bool withAcls)
    {
        if (withAcls && rules.Any(rule => rule.Squashes))
        {
            return "of several entries of an ACL it would make one: leave POSIX ACLs out, or translate one to one";
        }

        try
        {
            _ = new IdMap(rules);
            return null;
        }
        catch (ArgumentException impossible)
        {
            return impossible.Message;
        }
    }

    /// <summary>What a client's id is on the host; false if the client may not use it.</summary>
    public bool TryToHost(uint id, out uint hostId)
    {
        Range? range = Find(_toHost, id);
        hostId = range is { } found ? found.Translate(id) : id;
        return range is not { Kind: IdRuleKind.ForbidGuest };
    }

    /// <summary>What a host's id is to the client.</summary>
    public uint ToClient(uint hostId) => Find(_toClient, hostId) is { } range ? range.Translate(hostId) : hostId;

    private static Range? Find(Range[] sorted, uint id)
    {
        if (id == None)
        {
            return null;
        }

        int low = 0;
        int high = sorted.Length - 1;
        while (low <= high)
        {
            int middle = (low + high) / 2;
            if (id < sorted[middle].First)
            {
                high = middle - 1;
            }
            else if (id - sorted[middle].First >= sorted[middle].Count)
            {
                low = middle + 1;
            }
            else
            {
                return sorted[middle];
            }
        }

        return null;
    }

    private static Range[] Sort(IEnumerable<Range> ranges)
    {
        Range[] sorted = [.. ranges.Where(range => range.Count > 0).OrderBy(range => range.First)];
        foreach (Range range in sorted)
        {
            uint last = range.IsOneToOne ? Math.Max(range.First, range.Target) : range.First;
            if (last > uint.MaxValue - range.Count)
            {
                throw new ArgumentException($"{range.Count} ids from {last} on: {uint.MaxValue - 1} is the last");
            }
        }

        for (int i = 1; i < sorted.Length; i++)
        {
            if (sorted[i].First - sorted[i - 1].First < sorted[i - 1].Count)
            {
                throw new ArgumentException($"{sorted[i].First} is translated twice");
            }
        }

        return sorted;
    }

    private readonly record struct Range(uint First, uint Target, uint Count, IdRuleKind Kind)
    {
        public bool IsOneToOne => Kind is IdRuleKind.Map or IdRuleKind.Guest or IdRuleKind.Host;

        public uint Translate(uint id) => IsOneToOne ? Target + (id - First) : Kind == IdRuleKind.ForbidGuest ? id : Target;
    }
}
