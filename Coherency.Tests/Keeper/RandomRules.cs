namespace Coherency.Tests.Keeper;

/// <summary>Makes values of <c>--translate-uid</c> and <c>--xattrmap</c>, many of them wrong.</summary>
internal static class RandomRules
{
    private static readonly string[] IdKinds =
        ["map", "guest", "host", "squash-guest", "squash-host", "forbid-guest", "Map", "FORBID-GUEST", "forbid-host", ""];

    private static readonly string[] Numbers =
        ["0", "0", "1", "5", "10", "10", "1000", "1005", "4294967294", "4294967295", "4294967296", "+3", "-1", "", "x", "0x1"];

    private static readonly string[] IdSeparators = [":", ":", ":", "/", ",", ".", "-", "_", "é", " "];

    private static readonly string[] NameKinds = ["prefix", "ok", "bad", "unsupported", "map", "OK", "none"];

    private static readonly string[] Scopes = ["all", "all", "client", "server", "both", ""];

    private static readonly string[] Keys = ["", "", "user.", "trusted.", "user.virtiofs.", "security."];

    private static readonly string[] NameSeparators = [":", ":", "/", ";", "a"];

    private static readonly string[] Gaps = ["", " ", "\n", "\t ", "x"];

    public static string[] Ids(Random random) =>
        [.. Enumerable.Range(0, random.Next(1, 4)).SelectMany(_ => new[] { "--translate-uid", IdRule(random) })];

    public static string[] Names(Random random) =>
        ["--xattrmap", string.Concat(Enumerable.Range(0, random.Next(1, 4)).Select(_ => NameRule(random))) + ":ok:all:::"];

    private static string IdRule(Random random)
    {
        string separator = Often(random, IdSeparators);
        string kind = Often(random, IdKinds);
        int right = kind.Contains("forbid", StringComparison.OrdinalIgnoreCase) ? 2 : 3;
        int numbers = random.Next(10) == 0 ? random.Next(5) : right;
        return string.Join(separator, [kind, .. Enumerable.Range(0, numbers).Select(_ => Often(random, Numbers))]);
    }

    private static string NameRule(Random random)
    {
        string separator = Often(random, NameSeparators);
        string kind = Often(random, NameKinds);
        string[] parts = kind == "map"
            ? [kind, One(random, Keys), One(random, Keys)]
            : [kind, Often(random, Scopes), One(random, Keys), One(random, Keys)];
        string rule = separator + string.Join(separator, parts) + separator;
        return (random.Next(20) == 0 ? rule[..random.Next(rule.Length)] : rule) + Often(random, Gaps);
    }

    /// <summary>Those in front most of the time: a rule is right if all of its parts are.</summary>
    private static string Often(Random random, string[] choices) =>
        random.Next(8) == 0 ? One(random, choices) : choices[random.Next(Math.Max(1, choices.Length / 2))];

    private static string One(Random random, string[] choices) => choices[random.Next(choices.Length)];
}
