namespace Coherency.Bench.Guests;

/// <summary>A program that is run in a guest, in the shared directory. All commands are the shell's.</summary>
/// <param name="Name">On the command line.</param>
/// <param name="Title">For people.</param>
/// <param name="Run">What is measured. What it prints is in /run/output afterwards.</param>
/// <param name="Expected">What <see cref="Verify"/> must print.</param>
internal sealed record GuestWorkload(string Name, Func<TestTree, string> Title, Func<TestTree, string> Run, Func<TestTree, string> Expected)
{
    private const string Fio = "fio --thread --ioengine=psync --invalidate=0 --output-format=terse --terse-version=3";

    /// <summary>Makes the state that the program needs; not measured.</summary>
    public string Prepare { get; init; } = "";

    /// <summary>Prints what shows that the program did its work; not measured.</summary>
    public string Verify { get; init; } = "cat /run/output";

    /// <summary>The program leaves what it found, so that it can run again at once.</summary>
    public bool IsRepeatable { get; init; } = true;

    /// <summary>Its result does not change when a second guest works elsewhere in the tree, so that it is measured like that too.</summary>
    public bool IsMeasuredBesideOthers { get; init; }

    /// <summary>It is about file content rather than names.</summary>
    public bool IsForData { get; init; }

    /// <summary>
    /// In the order in which they are run, the cheap ones first: what people do all day in a repository and with a project in C,
    /// whose sources share headers; programs that go through whole trees; other people's benchmarks of file systems.
    /// </summary>
    public static IReadOnlyList<GuestWorkload> All { get; } =
    [
        new("git-status", tree => $"git status of {tree.Files:n0} files", _ => "git -C repo status --porcelain && echo clean", _ => "clean")
        {
            Prepare = "git -C repo checkout -q -f first",
            IsMeasuredBesideOthers = true,
        },
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
        new("make-nothing", _ => "make with nothing to do", _ => "make -C project", _ => "1")
        {
            Prepare = "make -s -C project",
            Verify = "grep -c 'Nothing to be done' /run/output",
            IsMeasuredBesideOthers = true,
        },
        new("make", _ => "make of 13 sources", _ => "make -s -C project", _ => $"{TestTree.ProjectResult}")
        {
            Prepare = "make -s -C project clean",
            Verify = "project/program",
            IsRepeatable = false,
        },
        new(
            "fio-randread",
            _ => "fio: 2,048 random reads of 4 KiB",
            _ => $"{Fio} --name=read --readonly --filename=data.bin --rw=randread --bs=4k --size={TestTree.DataBytes} --io_size=8m " +
                "--randseed=1",
            _ => "0 8192")
        {
            IsForData = true,
            // Of fio's terse format: the error, and KiB read.
            Verify = "grep '^3;' /run/output | cut -d ';' --output-delimiter=' ' -f 5,6",
        },
        new(
            "fio-write",
            _ => "fio: writing 32 MiB in sequence",
            _ => $"{Fio} --name=write --filename=written.bin --rw=write --bs=128k --size={TestTree.DataBytes} --end_fsync=1",
            _ => $"{TestTree.DataBytes}")
        {
            IsForData = true,
            Prepare = "rm -f written.bin",
            Verify = "stat -c %s written.bin",
            IsRepeatable = false,
        },
        new(
            "fsmark",
            tree => $"fs_mark: {tree.CreatedFiles:n0} files of 4 KiB",
            tree => $"fs_mark -d fsmark -n {tree.CreatedFiles} -s 4096 -S 0 -L 1 -k -l /run/fsmark.log",
            tree => $"{tree.CreatedFiles}")
        {
            Prepare = "rm -rf fsmark",
            Verify = "find fsmark -type f | wc -l",
            IsRepeatable = false,
        },
        new(
            "stress-ng",
            _ => "stress-ng: dentry, rename, dir",
            _ => "mkdir -p stress && stress-ng --temp-path stress --dentry 1 --dentry-ops 500 --dentries 100"
                + " --rename 1 --rename-ops 500 --dir 1 --dir-ops 200 --dir-dirs 100 --timeout 0",
            _ => "0")
        {
            Verify = "ls stress | wc -l",
        },
        new(
            "tar-in",
            tree => $"tar -x of {tree.PackageFiles:n0} files",
            _ => "mkdir copy && tar xf packages.tar -C copy",
            tree => tree.PackageChecksum)
        {
            Prepare = "rm -rf copy",
            Verify = TestTree.ChecksumOfPackages("copy/packages"),
            IsRepeatable = false,
        },
        new("rm", tree => $"rm -rf of {tree.PackageFiles:n0} files", _ => "rm -rf copy", _ => "gone")
        {
            Prepare = "test -d copy || { mkdir copy && tar xf packages.tar -C copy; }",
            Verify = "test -e copy || echo gone",
            IsRepeatable = false,
        },
        new(
            "npm-create",
            tree => $"creating a node_modules of {tree.CreatedFiles:n0} files",
            CreatePackages,
            tree => $"{tree.CreatedFiles}")
        {
            Prepare = "rm -rf created",
            Verify = "find created -type f | wc -l",
            IsRepeatable = false,
        },
        new(
            "git-checkout",
            tree => $"git checkout that changes {tree.Files / 10:n0} files",
            _ => "git -C repo checkout -q second",
            tree => tree.CheckoutChecksum)
        {
            Prepare = "git -C repo checkout -q -f first",
            Verify = "cd repo && xargs cat <../changed.txt | cksum",
            IsRepeatable = false,
        },
        new(
            "git-worktree",
            tree => $"first git checkout of {tree.Files:n0} files",
            _ => "git -C repo worktree add -q --detach ../other second",
            tree => tree.CheckoutChecksum)
        {
            Prepare = "rm -rf other && git -C repo worktree prune",
            Verify = "cd other && xargs cat <../changed.txt | cksum",
            IsRepeatable = false,
        },
    ];

    public static string Names { get; } = string.Join(", ", All.Select(workload => workload.Name));

    /// <exception cref="ArgumentException">There is none of that name.</exception>
    public static GuestWorkload Find(string name) =>
        All.FirstOrDefault(workload => workload.Name == name) ?? throw new ArgumentException(
            $"--workloads: there is no {name}; there are {Names}");

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
