namespace Coherency.Tests.Daemon;

/// <summary><c>coherencyd mount</c>: the host's kernel as the client.</summary>
public sealed class MountTests : IDisposable
{
    private readonly DirectoryInfo _work = Directory.CreateTempSubdirectory("coherency-mount-");
    private readonly string _share;
    private readonly string _mountPoint;

    public MountTests()
    {
        _share = _work.CreateSubdirectory("share").FullName;
        _mountPoint = _work.CreateSubdirectory("mnt").FullName;
    }

    public void Dispose()
    {
        ChildProcess.Run("umount", ["--lazy", "--quiet", _mountPoint]);
        _work.Delete(recursive: true);
    }

    [Fact]
    public void The_kernel_works_in_a_mount()
    {
        using RunningDaemon daemon = RunningDaemon.Start("mount", "--shared-dir", _share, _mountPoint);
        Shell($"""
            cd {_mountPoint}
            mkdir -p a/b/c && echo text > a/b/c/file && cp -r a copy && diff -r a copy
            ln a/b/c/file hard && [ $(stat -c %h hard) = 2 ]
            ln -s a/b/c/file soft && [ "$(cat soft)" = text ]
            mkfifo pipe && [ -p pipe ]
            mv copy moved && ! [ -e copy ] && rm -r moved
            head -c 5000000 /dev/urandom > big && cmp big {_share}/big
            truncate -s 1G sparse && [ $(du sparse | cut -f1) -lt 100 ]
            chmod 4755 big && chown 1000:1000 a && [ $(stat -c %u {_share}/a) = 1000 ]
            touch -d 2001-02-03T04:05:06Z big && [ $(stat -c %Y {_share}/big) = 981173106 ]
            exec 3> gone && rm gone && echo still >&3 && exec 3>&-
            """);
        Assert.Equal(0, daemon.Stop());
        Assert.DoesNotContain(_mountPoint, File.ReadAllText("/proc/mounts"), StringComparison.Ordinal);
    }

    [Fact]
    public void Locks_of_a_mount_exclude_programs_of_the_host_and_waits_end_at_a_signal()
    {
        File.WriteAllText(Path.Combine(_share, "file"), "");
        using RunningDaemon daemon = RunningDaemon.Start("mount", "--shared-dir", _share, _mountPoint);
        Shell($"""
            exec 9< {_share}/file && flock 9
            ! flock --nonblock {_mountPoint}/file true
            ! timeout 1 flock {_mountPoint}/file true
            exec 9<&-
            flock --timeout 20 {_mountPoint}/file true
            """);
        Assert.Equal(0, daemon.Stop());
    }

    [Fact]
    public void A_read_only_mount_refuses_changes()
    {
        File.WriteAllText(Path.Combine(_share, "file"), "text");
        using RunningDaemon daemon = RunningDaemon.Start("mount", "--shared-dir", _share, "--readonly", _mountPoint);
        Shell($"""
            [ $(cat {_mountPoint}/file) = text ]
            ! touch {_mountPoint}/new
            ! rm {_mountPoint}/file
            ! sh -c 'echo x >> {_mountPoint}/file'
            """);
        Assert.Equal(0, daemon.Stop());
    }

    [Fact]
    public void Unmounting_ends_the_daemon()
    {
        using RunningDaemon daemon = RunningDaemon.Start("mount", "--shared-dir", _share, _mountPoint);
        Shell($"umount {_mountPoint}");
        Assert.Equal(0, daemon.WaitForExit());
    }

    [Fact]
    public void A_mount_in_use_is_taken_away_with_a_warning()
    {
        using RunningDaemon daemon = RunningDaemon.Start("mount", "--shared-dir", _share, _mountPoint);
        using FileStream open = File.Create(Path.Combine(_mountPoint, "file"));
        Assert.Equal(0, daemon.Stop());
        Assert.Contains("was in use", daemon.Output, StringComparison.Ordinal);
    }

    /// <summary>No privilege at all, in a user namespace of one's own.</summary>
    [Fact]
    public void An_ordinary_user_mounts_in_a_user_namespace()
    {
        DirectoryInfo program = Directory.CreateTempSubdirectory("coherency-program-");
        try
        {
            Shell($"cp -r '{AppContext.BaseDirectory}'/. {program.FullName} && chmod -R a+rX {program.FullName} && chown -R 65534:65534 {_work.FullName}");
            string inside = $"""
                dotnet {program.FullName}/coherencyd.dll mount --shared-dir {_share} {_mountPoint} > {_share}/../log 2>&1 &
                for i in $(seq 200); do grep -qx ready {_share}/../log && break; sleep 0.1; done
                mkdir {_mountPoint}/dir && echo text > {_mountPoint}/dir/file && mv {_mountPoint}/dir/file {_mountPoint}/file
                [ "$(cat {_share}/file)" = text ] && ls -lR {_mountPoint} && kill $! && wait $!
                """;
            string script = Path.Combine(program.FullName, "inside.sh");
            File.WriteAllText(script, inside);
            // Not every machine's udev lets everybody open /dev/fuse; here it does, in a mount namespace that ends with the test.
            string outside = $"""
                mknod {program.FullName}/fuse c 10 229 && chmod 666 {program.FullName}/fuse && mount --bind {program.FullName}/fuse /dev/fuse
                setpriv --reuid=65534 --regid=65534 --clear-groups unshare --user --map-root-user --mount sh -ex {script}
                """;
            ChildResult result = ChildProcess.Run("unshare", ["--mount", "sh", "-exc", outside]);
            Assert.True(result.ExitCode == 0, result.Output + result.Errors + File.ReadAllText(Path.Combine(_work.FullName, "log")));
        }
        finally
        {
            program.Delete(recursive: true);
        }
    }

    private static void Shell(string script)
    {
        ChildResult result = ChildProcess.Run("bash", ["-xec", script]);
        Assert.True(result.ExitCode == 0, result.Output + result.Errors);
    }
}
