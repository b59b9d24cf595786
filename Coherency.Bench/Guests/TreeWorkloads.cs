namespace Coherency.Bench.Guests;

/// <summary>Programs that go through whole trees: to list, to archive, to make and to remove them.</summary>
internal static class TreeWorkloads
{
    private const string MakeCopy = "test -d copy || { mkdir copy && tar xf packages.tar -C copy; }";

    public static IReadOnlyList<GuestWorkload> Cheap { get; } =
    [
        new(
            "find",
            tree => $"find -ls of {tree.Files:n0} files",
            _ => "find repo -path repo/.git -prune -o -path repo/busy -prune -o -ls | wc -l",
            tree => $"{tree.RepositoryEntries}")
        {
            Prepare = "git -C repo checkout -q -f first",
            IsMeasuredBesideOthers = true,
        },
        new(
            "npm-walk",
            tree => $"reading every package.json below {tree.PackageFiles:n0} files",
            _ => "find packages -name package.json -exec cat {} + | grep -c 'line 0'",
            tree => $"{(tree.PackageFiles + 9) / 10}"),
        new("tar-out", tree => $"tar -c of {tree.PackageFiles:n0} files", _ => "tar cf - packages | wc -c", tree => $"{tree.ArchiveBytes}"),
    ];

    public static IReadOnlyList<GuestWorkload> Dear { get; } =
    [
        new("tar-in", tree => $"tar -x of {tree.PackageFiles:n0} files", _ => "mkdir copy && tar xf packages.tar -C copy", tree => tree.PackageChecksum)
        {
            Prepare = "rm -rf copy",
            Verify = TestTree.ChecksumOfPackages("copy/packages"),
            IsRepeatable = false,
        },
        new("rm", tree => $"rm -rf of {tree.PackageFiles:n0} files", _ => "rm -rf copy", _ => "gone")
        {
            Prepare = MakeCopy,
            Verify = "test -e copy || echo gone",
            IsRepeatable = false,
        },
        new("npm-create", tree => $"creating a node_modules of {tree.CreatedFiles:n0} files", CreatePackages, tree => $"{tree.CreatedFiles}")
        {
            Prepare = "rm -rf created",
            Verify = "find created -type f | wc -l",
            IsRepeatable = false,
        },
    ];

    /// <summary>Without a process for each file, which would cost more than the file.</summary>
    private static string CreatePackages(TestTree tree) =>
        $$"""
        mkdir created; i=0
        while [ $i -lt {{tree.CreatedFiles}} ]; do
            if [ $((i % 10)) = 0 ]; then folder=created/node_modules/package-$i/node_modules/inner/lib; mkdir -p $folder; fi
            echo "module.exports = $i" >$folder/module-$i.js; i=$((i + 1))
        done
        """;
}
