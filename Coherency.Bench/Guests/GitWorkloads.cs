namespace Coherency.Bench.Guests;

/// <summary>What people do all day in a repository.</summary>
internal static class GitWorkloads
{
    private const string ChecksumOfChanged = "cd repo && xargs cat <../changed.txt | cksum";

    public static IReadOnlyList<GuestWorkload> Cheap { get; } =
    [
        new("git-status", tree => $"git status of {tree.Files:n0} files", _ => "git -C repo status --porcelain && echo clean", _ => "clean")
        {
            Prepare = "git -C repo checkout -q -f first",
            IsMeasuredBesideOthers = true,
        },
    ];

    public static IReadOnlyList<GuestWorkload> Dear { get; } =
    [
        new("git-checkout", tree => $"git checkout that changes {tree.Files / 10:n0} files", _ => "git -C repo checkout -q second", tree => tree.CheckoutChecksum)
        {
            Prepare = "git -C repo checkout -q -f first",
            Verify = ChecksumOfChanged,
            IsRepeatable = false,
        },
        new("git-worktree", tree => $"first git checkout of {tree.Files:n0} files", _ => "git -C repo worktree add -q --detach ../other second", tree => tree.CheckoutChecksum)
        {
            Prepare = "rm -rf other && git -C repo worktree prune",
            Verify = "cd other && xargs cat <../changed.txt | cksum",
            IsRepeatable = false,
        },
    ];
}
