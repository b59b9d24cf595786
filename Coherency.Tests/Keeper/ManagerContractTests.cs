using System.Text;
using Coherency.Core.Linux;
using Coherency.Guest;

namespace Coherency.Tests.Keeper;

/// <summary>The command lines of those who start virtiofsd, and what each reads or waits for, are served.</summary>
[Trait("Category", "Root")]
public sealed class ManagerContractTests : IDisposable
{
    private readonly DirectoryInfo _work = Directory.CreateTempSubdirectory("coherency-managers-");
    private readonly List<int> _listeners = [];

    public ManagerContractTests() => File.WriteAllText(Path.Combine(_work.CreateSubdirectory("share").FullName, "file"), "content");

    private string Share => Path.Combine(_work.FullName, "share");

    private string Socket => Path.Combine(_work.FullName, "fs.sock");

    private string Run => Path.Combine(_work.FullName, "run");

    public void Dispose()
    {
        _listeners.ForEach(fd => Libc.Close(fd));
        _work.Delete(recursive: true);
    }

    [Fact]
    public void Libvirt_asks_for_capabilities_first()
    {
        ChildResult asked = ChildProcess.Run(KeeperProcess.Built[0], [.. KeeperProcess.Built[1..], "--print-capabilities"]);
        Assert.Equal((0, ""), (asked.ExitCode, asked.Errors));
        using System.Text.Json.JsonDocument json = System.Text.Json.JsonDocument.Parse(asked.Output);
        Assert.Equal("fs", json.RootElement.GetProperty("type").GetString());
        Assert.Contains(
            "separate-options", json.RootElement.GetProperty("features").EnumerateArray().Select(feature => feature.GetString()));
    }

    [Fact]
    public void Libvirt_passes_a_socket_that_listens()
    {
        string fd = $"{Listen()}";
        Serve(
            [$"--fd={fd}", "--shared-dir", Share, "--cache", "always", "--sandbox", "none", "--xattr", "--thread-pool-size=4",
            "--rlimit-nofile=10000", "--log-level", "debug"]);
    }

    [Fact]
    public void Libvirt_9_speaks_as_to_the_C_daemon()
    {
        string fd = $"{Listen()}";
        Serve(
            [$"--fd={fd}", "-o", $"source={Share.Replace(",", ",,", StringComparison.Ordinal)},cache=always,xattr,flock,no_posix_lock",
            "-d"]);
    }

    [Fact]
    public void Incus_passes_its_own_socket_and_a_mode_for_acls()
    {
        string fd = $"{Listen()}";
        Serve([$"--fd={fd}", "--cache=metadata", $"--shared-dir={Share}", "--posix-acl=auto"]);
    }

    [Fact]
    public void Kata_logs_to_syslog() =>
        Serve(
            ["--syslog", "--cache=auto", $"--shared-dir={Share}", $"--fd={Listen()}", "--inode-file-handles=mandatory"],
            isQuiet: File.Exists("/dev/log"));

    /// <summary>It reads standard error up to the first such line, panics at a second one, and then nobody reads on.</summary>
    [Fact]
    public void Katas_runtime_in_Rust_sees_its_line_once_and_its_socket_within_a_second()
    {
        using KeeperProcess keeper = KeeperProcess.Start(
            Run, "--socket-path", Socket, "--shared-dir", Share, "--cache", "auto", "--sandbox", "none", "--seccomp", "none",
            "--inode-file-handles", "prefer", "--xattr");
        Assert.True(File.Exists(Socket));
        Read(keeper);
        Assert.Equal(0, keeper.WaitForExit());
        Assert.Equal(2, keeper.Output.Split(KeeperProcess.ReadyLine).Length);
    }

    /// <summary>In a container: as a user without capabilities, under a seccomp policy that refuses unshare.</summary>
    [Fact]
    public void KubeVirt_gives_neither_rights_nor_an_environment()
    {
        foreach (string folder in (string[])[_work.FullName, Share])
        {
            ChildProcess.Run("chown", ["-R", "107:107", folder]);
        }

        using KeeperProcess keeper = KeeperProcess.Begin(
            ["setpriv", "--reuid=107", "--regid=107", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs",
                "/usr/bin/python3", "-c", NoUnshare, .. KeeperProcess.Built],
            Run,
            [$"--socket-path={Socket}", $"--shared-dir={Share}", "--sandbox=none", "--cache=auto", "--migration-on-error=guest-error",
            "--migration-mode=find-paths"]);
        keeper.WaitUntilReady();
        Read(keeper);
        Assert.Equal(0, keeper.WaitForExit());
    }

    /// <summary>As root, with nothing in its environment but what finds the build under test.</summary>
    [Fact]
    public void KubeVirts_dispatcher_asks_for_a_chroot()
    {
        using KeeperProcess keeper = KeeperProcess.Begin(
            ["/usr/bin/python3", "-c", EmptyEnvironment, .. KeeperProcess.Built],
            Run,
            [$"--socket-path={Socket}", $"--shared-dir={Share}", "--sandbox", "chroot", "--cache=auto",
            "--modcaps=+dac_read_search:-mknod", "--translate-uid=squash-guest:0:107:4294967295",
            "--translate-gid=squash-guest:0:107:4294967295"]);
        keeper.WaitUntilReady();
        Read(keeper, guest => guest.Files.WriteAllBytes("/new", "new"u8));
        Assert.Equal(0, keeper.WaitForExit());
        Assert.Equal("107:107", ChildProcess.Shell($"stat -c %u:%g {Share}/new"));
    }

    /// <summary>As libvirt starts it for a user's own machines, but for the maps of ids.</summary>
    [Fact]
    public void A_user_without_rights_gets_a_namespace_and_no_chroot()
    {
        ChildProcess.Run("chown", ["-R", "65534:65534", _work.FullName]);
        string[] user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
        string[] line = [$"--socket-path={Socket}", $"--shared-dir={Share}"];
        using KeeperProcess refused = KeeperProcess.Begin([.. user, .. KeeperProcess.Built], Run, [.. line, "--sandbox=chroot"]);
        Assert.Equal(1, refused.WaitForExit());
        Assert.Contains("--sandbox=chroot is for root only", refused.Output, StringComparison.Ordinal);
        using KeeperProcess keeper = KeeperProcess.Begin([.. user, .. KeeperProcess.Built], Run, [.. line, "--sandbox=namespace"]);
        keeper.WaitUntilReady();
        Read(keeper, guest => guest.Files.WriteAllBytes("/new", "new"u8));
        Assert.Equal(0, keeper.WaitForExit());
        Assert.Equal("65534:65534", ChildProcess.Shell($"stat -c %u:%g {Share}/new"));
    }

    [Theory]
    [InlineData("TERM")]
    [InlineData("HUP")]
    [InlineData("INT")]
    public void A_signal_ends_it_with_all_that_it_started(string signal)
    {
        using KeeperProcess keeper = KeeperProcess.Start(Run, "--socket-path", Socket, "--shared-dir", Share);
        Assert.Equal(0, keeper.Stop(signal));
        Assert.Equal("", ServersOf(Socket));
    }

    [Fact]
    public void A_server_does_not_outlive_a_keeper_that_is_killed()
    {
        using KeeperProcess keeper = KeeperProcess.Start(Run, "--socket-path", Socket, "--shared-dir", Share);
        int server = int.Parse(ChildProcess.Run("pgrep", ["-P", $"{keeper.Id}"]).Output, System.Globalization.CultureInfo.InvariantCulture);
        ChildProcess.Run("kill", ["-KILL", $"{keeper.Id}"]);
        Assert.True(
            SpinWait.SpinUntil(
                () => !Directory.Exists($"/proc/{server}") || File.ReadAllText($"/proc/{server}/stat").Contains(
                    ") Z ", StringComparison.Ordinal),
                TimeSpan.FromSeconds(30)));
    }

    [Fact]
    public void A_keeper_does_not_outlive_its_server()
    {
        using KeeperProcess keeper = KeeperProcess.Start(Run, "--socket-path", Socket, "--shared-dir", Share);
        using VirtioFsGuest guest = VirtioFsGuest.Connect(Socket);
        ChildProcess.Run("pkill", ["-KILL", "-P", $"{keeper.Id}"]);
        Assert.Equal(1, keeper.WaitForExit());
        Assert.Contains("the server has gone", keeper.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void The_socket_and_the_pid_file_have_the_modes_that_are_expected()
    {
        using KeeperProcess keeper = KeeperProcess.Start(Run, "--socket-path", Socket, "--shared-dir", Share, "--socket-group", "daemon");
        Assert.Equal("770 daemon", ChildProcess.Shell($"stat -c '%a %G' {Socket}"));
        Assert.Equal($"600 {keeper.Id}", ChildProcess.Shell($"echo $(stat -c '%a' {Socket}.pid) $(cat {Socket}.pid)"));
        ChildResult second = ChildProcess.Run(
            KeeperProcess.Built[0], [.. KeeperProcess.Built[1..], "--socket-path", Socket, "--shared-dir", Share]);
        Assert.Equal(1, second.ExitCode);
        Assert.Contains("locked by another process", second.Errors, StringComparison.Ordinal);
        Read(keeper);
    }

    /// <summary>Refuses unshare (272 on x86-64) with EPERM, as container runtimes do, and runs a program.</summary>
    private const string NoUnshare = """
        import ctypes, os, shutil, struct, sys
        rules = [(0x20, 0, 0, 0), (0x15, 0, 1, 272), (6, 0, 0, 0x50001), (6, 0, 0, 0x7fff0000)]
        code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *rule) for rule in rules))
        program = struct.pack("HxxxxxxP", len(rules), ctypes.addressof(code))
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.prctl(22, 2, program, 0, 0) == 0
        kept = {name: os.environ[name] for name in ("COHERENCYD_SERVER", "COHERENCYD_RUNTIME_DIR")}
        os.execve(shutil.which(sys.argv[1]), sys.argv[1:], kept | {"PATH": "/usr/bin:/bin", "DOTNET_CLI_HOME": "/nonexistent"})
        """;

    private const string EmptyEnvironment = """
        import os, shutil, sys
        kept = {name: os.environ[name] for name in ("COHERENCYD_SERVER", "COHERENCYD_RUNTIME_DIR")}
        os.execve(shutil.which(sys.argv[1]), sys.argv[1:], kept | {"PATH": "/usr/bin:/bin"})
        """;

    private void Serve(string[] arguments, bool isQuiet = false)
    {
        using KeeperProcess keeper = KeeperProcess.Begin(KeeperProcess.Built, Run, arguments);
        if (!isQuiet)
        {
            keeper.WaitUntilReady();
        }

        Read(keeper);
        Assert.Equal(0, keeper.WaitForExit());
    }

    private void Read(KeeperProcess keeper, Action<VirtioFsGuest>? more = null)
    {
        using VirtioFsGuest guest = VirtioFsGuest.Connect(Socket, new() { ConnectTimeoutMs = 60_000 });
        Assert.Equal("content", Encoding.UTF8.GetString(guest.Files.ReadAllBytes("/file")));
        more?.Invoke(guest);
        Assert.False(keeper.HasExited);
    }

    private static string ServersOf(string socket) => ChildProcess.Run("pgrep", ["-f", socket]).Output;

    /// <summary>A listening socket that children inherit, as managers make one.</summary>
    private int Listen()
    {
        int fd = LinuxException.Check(Libc.Socket(SocketFlags.AF_UNIX, SocketFlags.SOCK_STREAM, 0), "socket");
        _listeners.Add(fd);
        Assert.True(sockaddr_un.TryMake(Socket, out sockaddr_un address));
        LinuxException.Check(Libc.Bind(fd, address), "bind");
        LinuxException.Check(Libc.Listen(fd, 1), "listen");
        LinuxException.Check(Libc.Fcntl(fd, LockFlags.F_SETFD, 0), "fcntl");
        return fd;
    }
}
