namespace Coherency.Tests.Daemon;

/// <summary><c>coherencyd mount</c>: the host's kernel as the client.</summary>
[Trait("Category", "Root")]
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

    /// <summary>Whoever opens a name that always stands for some file finds one, whatever the host puts in its place meanwhile.</summary>
    [Fact]
    public void What_the_host_replaces_and_unlinks_all_the_time_is_never_missing()
    {
        using RunningDaemon daemon = RunningDaemon.Start("mount", "--shared-dir", _share, _mountPoint);
        Shell($$"""
            cd {{_share}} && echo 0 > replaced && mkdir links && echo text > links/0
            for i in $(seq 400); do ln links/0 links/$i; done
            (for i in $(seq 200); do echo $i > new && mv new replaced && rm links/$i; done; touch {{_work.FullName}}/end) &
            until [ -e {{_work.FullName}}/end ]; do
                read text < {{_mountPoint}}/replaced
                for i in $(seq 201 20 400); do [ "$(cat {{_mountPoint}}/links/$i)" = text ]; done
            done
            wait $!
            ln -s host:1 lock
            [ "$(readlink {{_mountPoint}}/lock)" = host:1 ]
            rm lock && mkdir lock
            until [ -d {{_mountPoint}}/lock ] && ! readlink {{_mountPoint}}/lock; do sleep 0.1; done
            """);
        Assert.Equal(0, daemon.Stop());
    }

    /// <summary>As journald does with its files: it maps them, and punches holes into those that it has done with.</summary>
    [Fact]
    public void A_hole_shows_in_a_mapping_and_attributes_of_files_are_refused_quietly()
    {
        File.WriteAllText(Path.Combine(_work.FullName, "journal.py"), """
            import ctypes, errno, fcntl, mmap, os, struct, sys
            fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
            os.write(fd, b"x" * 65536)
            m = mmap.mmap(fd, 65536)
            try:
                fcntl.ioctl(fd, 0x40086602, struct.pack("l", 0x800000))  # FS_IOC_SETFLAGS, FS_NOCOW_FL
            except OSError as refused:
                assert refused.errno == errno.ENOTTY, refused
            else:
                sys.exit("not refused")
            assert m[4096] == ord("x")
            fallocate = ctypes.CDLL(None, use_errno=True).fallocate
            assert fallocate(fd, 3, ctypes.c_long(4096), ctypes.c_long(4096)) == 0  # PUNCH_HOLE | KEEP_SIZE
            assert m[4096:8192] == bytes(4096) and m[8192] == ord("x")
            m[4097] = 1
            m.flush()
            assert os.pread(fd, 2, 4096) == b"\0\1"
            """);
        using RunningDaemon daemon = RunningDaemon.Start("mount", "--shared-dir", _share, _mountPoint);
        Shell($"python3 {_work.FullName}/journal.py {_mountPoint}/journal");
        Assert.Equal(0, daemon.Stop());
    }

    /// <summary>A mount of FUSE finds by a handle only what its kernel has in memory anyway, unless its server does more.</summary>
    [Fact]
    public void A_file_system_that_forgets_its_handles_is_shared_without()
    {
        string again = _work.CreateSubdirectory("again").FullName;
        using RunningDaemon daemon = RunningDaemon.Start("mount", "--shared-dir", _share, _mountPoint);
        using RunningDaemon refused = new(
            "dotnet",
            [RunningDaemon.Program, "mount", "--inode-file-handles", "mandatory", "--shared-dir", _mountPoint, again]);
        Assert.Equal(2, refused.WaitForExit());
        Assert.Contains("file handles are mandatory", refused.Output, StringComparison.Ordinal);
        Assert.Equal(0, daemon.Stop());
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

    /// <summary>What is stored is what the same calls leave on a local file system.</summary>
    [Fact]
    public void A_mapping_of_a_file_that_is_open_for_appending_stays_in_its_place()
    {
        File.WriteAllText(Path.Combine(_work.FullName, "map.py"), """
            import mmap, sys
            with open(sys.argv[1], "a+b") as f:
                f.truncate(8192)
                m = mmap.mmap(f.fileno(), 8192)
                m[0:5] = b"first"
                m[4096:4100] = b"next"
                m.flush()
                m.close()
                f.write(b"end")
            """);
        using RunningDaemon daemon = RunningDaemon.Start("mount", "--shared-dir", _share, _mountPoint);
        Shell($"""
            cd {_work.FullName}
            python3 map.py {_mountPoint}/file && python3 map.py local
            cmp local {_share}/file && [ $(stat -c %s local) = 8195 ]
            """);
        Assert.Equal(0, daemon.Stop());
    }

    /// <summary>What went past the host's page cache is not in it.</summary>
    [Fact]
    public void O_DIRECT_reaches_the_disk()
    {
        using RunningDaemon daemon = RunningDaemon.Start("mount", "--shared-dir", _share, "--allow-direct-io", _mountPoint);
        Shell($"""
            head -c 65536 /dev/urandom > {_work.FullName}/data
            dd if={_work.FullName}/data of={_mountPoint}/direct oflag=direct bs=4096
            [ $(fincore --noheadings --output PAGES {_share}/direct) = 0 ]
            dd if={_mountPoint}/direct of={_work.FullName}/read iflag=direct bs=8192
            [ $(fincore --noheadings --output PAGES {_share}/direct) = 0 ]
            cmp {_work.FullName}/data {_work.FullName}/read && cmp {_work.FullName}/data {_share}/direct
            """);
        Assert.Equal(0, daemon.Stop());
    }

    /// <summary>Whatever changes a file, by whomever: modes and capabilities are then those of a local file system.</summary>
    [Fact]
    public void Set_id_bits_go_as_they_do_locally()
    {
        string script = Path.Combine(_work.FullName, "set-id.py");
        File.WriteAllText(script, SetIdScript);
        string local = _work.CreateSubdirectory("local").FullName;
        using RunningDaemon daemon = RunningDaemon.Start("mount", "--shared-dir", _share, "--posix-acl", _mountPoint);
        Shell($"chmod a+x {_work.FullName}");
        ChildResult wanted = ChildProcess.Run("python3", [script, local]);
        ChildResult seen = ChildProcess.Run("python3", [script, _mountPoint]);
        Assert.Equal((0, 0), (wanted.ExitCode, seen.ExitCode));
        string[] expected = wanted.Output.Split('\n');
        string[] actual = seen.Output.Split('\n');
        Assert.Contains("punch by 1000 of 6777 of group 2000: 777  0", expected);
        Assert.Equal(expected.Length, actual.Length);
        string[] differences =
            [.. expected.Zip(actual).Where(pair => pair.First != pair.Second).Select(pair => $"{pair.First} locally, {pair.Second} here")];
        Assert.Empty(differences);
        Assert.Equal(0, daemon.Stop());
    }

    [Fact]
    public void What_was_closed_can_be_executed_on_the_host_at_once()
    {
        using RunningDaemon daemon = RunningDaemon.Start("mount", "--shared-dir", _share, _mountPoint);
        Shell($"for i in $(seq 100); do cp /bin/true {_mountPoint}/run$i; {_share}/run$i; done");
        Assert.Equal(0, daemon.Stop());
    }

    /// <summary>Two processes of one mount, each waiting for what the other has locked; and whom a lock is asked about.</summary>
    [Fact]
    public void Record_locks_of_a_mount_tell_deadlocks_and_processes()
    {
        File.WriteAllText(Path.Combine(_work.FullName, "locks.py"), """
            import errno, fcntl, os, struct, sys
            FORMAT = "hhqqi"
            def lock(f, start, command=fcntl.F_SETLKW):
                return struct.unpack(FORMAT, fcntl.fcntl(f, command, struct.pack(FORMAT, fcntl.F_WRLCK, 0, start, 1, 0)))
            f = open(sys.argv[1], "w+b")
            lock(f, 0)
            ready = os.pipe()
            child = os.fork()
            if child == 0:
                lock(f, 1)
                os.write(ready[1], b"x")
                try:
                    lock(f, 0)
                except OSError as error:
                    os._exit(error.errno)
                os._exit(0)
            os.read(ready[0], 1)
            assert lock(f, 1, fcntl.F_GETLK)[4] == child
            try:
                lock(f, 1)
                mine = 0
            except OSError as error:
                mine = error.errno
                fcntl.lockf(f, fcntl.LOCK_UN)
            theirs = os.waitpid(child, 0)[1] >> 8
            assert sorted((mine, theirs)) == [0, errno.EDEADLK], (mine, theirs)
            """);
        using RunningDaemon daemon = RunningDaemon.Start("mount", "--shared-dir", _share, _mountPoint);
        Shell(
            $"timeout 60 python3 {_work.FullName}/locks.py {_work.FullName}/local && timeout 60 python3 {_work.FullName}/locks.py " +
            $"{_mountPoint}/file");
        Assert.Equal(0, daemon.Stop());
    }

    /// <summary>The holder gives its lease up as soon as it hears of the mount's wish, which has to wait until then.</summary>
    [Fact]
    public void A_lease_of_a_program_of_the_host_is_waited_for()
    {
        File.WriteAllText(Path.Combine(_share, "file"), "text");
        File.WriteAllText(Path.Combine(_work.FullName, "lease.py"), """
            import fcntl, os, signal, sys, time
            share, mount = sys.argv[1:]
            heard = []
            signal.signal(signal.SIGIO, lambda *_: heard.append(True))
            f = open(share, "rb")
            fcntl.fcntl(f, fcntl.F_SETLEASE, fcntl.F_RDLCK)
            child = os.fork()
            if child == 0:
                f.close()
                with open(mount, "ab") as appending:
                    appending.write(b" more")
                os._exit(0)
            while not heard:
                time.sleep(0.01)
            time.sleep(0.2)
            assert os.waitpid(child, os.WNOHANG) == (0, 0)
            assert open(share, "rb").read() == b"text"
            fcntl.fcntl(f, fcntl.F_SETLEASE, fcntl.F_UNLCK)
            assert os.waitpid(child, 0)[1] == 0
            assert open(share, "rb").read() == b"text more"
            """);
        using RunningDaemon daemon = RunningDaemon.Start("mount", "--shared-dir", _share, _mountPoint);
        Shell($"timeout 60 python3 {_work.FullName}/lease.py {_share}/file {_mountPoint}/file");
        Assert.Equal(0, daemon.Stop());
    }

    /// <summary>Prints what each operation leaves of mode and capabilities, and its error number.</summary>
    private const string SetIdScript = """
        import ctypes, os, struct, sys
        path = os.path.join(sys.argv[1], "file")
        other = os.path.join(sys.argv[1], "other")
        libc = ctypes.CDLL(None, use_errno=True)
        CAPABILITY = struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0)
        ENTRIES = ((1, 7, 0xffffffff), (4, 7, 0xffffffff), (32, 7, 0xffffffff))
        ACL = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *e) for e in ENTRIES)

        def fallocate(mode):
            with open(path, "r+b") as f:
                if libc.fallocate(f.fileno(), mode, ctypes.c_long(0), ctypes.c_long(4096)) != 0:
                    raise OSError(ctypes.get_errno(), "fallocate")

        def copy(target):
            with open(other, "rb") as source, open(target, "r+b") as f:
                os.copy_file_range(source.fileno(), f.fileno(), 100)

        def write(flags):
            fd = os.open(path, os.O_WRONLY | flags)
            os.write(fd, b"x")
            os.close(fd)

        def truncate_open():
            with open(path, "r+b") as f:
                os.ftruncate(f.fileno(), 10)

        operations = {
            "write": lambda: write(0), "append": lambda: write(os.O_APPEND), "synchronous": lambda: write(os.O_SYNC),
            "truncating open": lambda: os.close(os.open(path, os.O_WRONLY | os.O_TRUNC)),
            "creating open": lambda: os.close(os.open(path, os.O_RDWR | os.O_TRUNC | os.O_CREAT, 0o600)),
            "truncate": lambda: os.truncate(path, 10), "ftruncate": truncate_open,
            "allocate": lambda: fallocate(0), "keep size": lambda: fallocate(1),
            "punch": lambda: fallocate(3), "zero": lambda: fallocate(16),
            "copy": lambda: copy(path),
            "chown": lambda: os.chown(path, -1, os.getgid()),
            "chmod": lambda: os.chmod(path, 0o6777), "access list": lambda: os.setxattr(path, "system.posix_acl_access", ACL),
            "times": lambda: os.utime(path), "read": lambda: open(path, "rb").read(),
        }

        def perform(operation, uid):
            child = os.fork()
            if child == 0:
                try:
                    if uid != 0:
                        os.setgroups([])
                        os.setgid(uid)
                        os.setuid(uid)
                    operation()
                    os._exit(0)
                except OSError as error:
                    os._exit(error.errno)
            return os.waitpid(child, 0)[1] >> 8

        with open(other, "wb") as f:
            f.write(b"y" * 4096)
        for name, operation in operations.items():
            for uid in 0, 1000:
                for group in 0, 1000, 2000:
                    for mode in 0o6777, 0o2767:
                        with open(path, "wb") as f:
                            f.write(b"z" * 5000)
                        os.chown(path, 1000, group)
                        os.setxattr(path, "security.capability", CAPABILITY)
                        os.chmod(path, mode)
                        error = perform(operation, uid)
                        kept = "capability" if "security.capability" in os.listxattr(path) else ""
                        print(f"{name} by {uid} of {mode:o} of group {group}: {os.stat(path).st_mode & 0o7777:o} {kept} {error}")
                        os.unlink(path)
        """;

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
            Shell(
                $"cp -r '{AppContext.BaseDirectory}'/. {program.FullName} && chmod -R a+rX {program.FullName} && chown -R 65534:65534 " +
                $"{_work.FullName}");
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
                mknod {program.FullName}/fuse c 10 229 && chmod 666 {program.FullName}/fuse
                mount --bind {program.FullName}/fuse /dev/fuse
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
