namespace Coherency.Bench.Guests;

/// <summary>Other people's benchmarks of file systems, each a fixed amount of work.</summary>
internal static class FileWorkloads
{
    private const string Fio = "fio --thread --ioengine=psync --invalidate=0 --output-format=terse --terse-version=3";

    public static IReadOnlyList<GuestWorkload> All { get; } =
    [
        new(
            "fio-randread",
            _ => "fio: 2,048 random reads of 4 KiB",
            _ => $"{Fio} --name=read --readonly --filename=data.bin --rw=randread --bs=4k --size={TestTree.DataBytes} --io_size=8m --randseed=1",
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
    ];
}
