namespace Coherency.Bench.Results;

/// <summary>Contenders by what the reports and the goals say of them; all names stand here.</summary>
internal static class ContenderNames
{
    public const string Coherent = "coherencyd coherent";

    /// <summary>
    /// The guest's own file system on a block device: nothing is shared, so nothing that shares is expected to be faster.
    /// </summary>
    public const string Limit = "ext4";

    /// <summary>Peers that believe what they cached for ever, and are stale.</summary>
    public static readonly IReadOnlyList<string> Always = ["virtiofsd-rust always", "virtiofsd-c always"];

    /// <summary>Those that cache nothing.</summary>
    public static readonly IReadOnlyList<string> Never = ["coherencyd never", "virtiofsd-rust never", "virtiofsd-c none"];

    private const string Ours = "coherencyd";
    private const string Rust = "virtiofsd-rust";

    public static bool IsOurs(string contender) => IsMeant(contender, Ours);

    public static bool IsRust(string contender) => IsMeant(contender, Rust);

    public static bool IsLimit(string contender) => contender == Limit;

    /// <summary>One that a user could take instead of ours.</summary>
    public static bool IsPeer(string contender) => !IsOurs(contender) && !IsLimit(contender);

    /// <summary>Is a contender meant by a name, which may lack the mode?</summary>
    public static bool IsMeant(string contender, string name) =>
        contender == name || contender.StartsWith(name + " ", StringComparison.Ordinal);
}
