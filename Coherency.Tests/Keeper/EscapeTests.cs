using System.Net;
using System.Net.Sockets;
using Coherency.Guest;
using Coherency.Tests.Daemon;

namespace Coherency.Tests.Keeper;

/// <summary>
/// A program in the place of the server tries to get at what is not shared. With a sandbox it cannot; without one it can, so that the
/// attempts are known to be some.
/// </summary>
[Trait("Category", "Root")]
public sealed class EscapeTests : IDisposable
{
    private const string Attempts = """
        import ctypes, json, os, socket, stat, sys
        libc = ctypes.CDLL(None, use_errno=True)
        want = json.loads(os.environ["ATTEMPTS"])
        share = "/share" if os.path.exists("/share/file") else want["share"]
        def call(result):
            if result < 0:
                raise OSError(ctypes.get_errno(), "")
        def device():
            name = share + "/device"
            os.mknod(name, stat.S_IFCHR | 0o600, os.makedev(1, 3))
            try:
                os.close(os.open(name, os.O_RDONLY))
            finally:
                os.unlink(name)
        def mount():
            os.makedirs("/tmp/mounted-by-test", exist_ok=True)
            call(libc.mount(b"none", b"/tmp/mounted-by-test", b"tmpfs", 0, None))
            call(libc.umount2(b"/tmp/mounted-by-test", 2))
        def connect(family, address):
            with socket.socket(family) as s:
                s.connect(address)
        attempts = {
            "files shadow": lambda: open("/etc/shadow").close(),
            "files absolute": lambda: open(want["outside"]).close(),
            "files dots": lambda: open(share + "/../outside").close(),
            "files symlink": lambda: open(share + "/symlink").close(),
            "files write": lambda: open(os.path.join(os.path.dirname(sys.argv[0]), "written"), "w").close(),
            "files root of another": lambda: open(f"/proc/{want['pid']}/root" + want["outside"]).close(),
            "rights device": device,
            "rights mount": mount,
            "rights namespace": lambda: call(libc.setns(os.open(f"/proc/{want['pid']}/ns/net", os.O_RDONLY), 0)),
            "rights chroot": lambda: os.chroot("/"),
            "rights priority": lambda: os.nice(-1),
            "processes signal": lambda: os.kill(want["pid"], 0),
            "rights memory": lambda: open(f"/proc/{want['pid']}/mem").close(),
            "network tcp": lambda: connect(socket.AF_INET, ("127.0.0.1", want["port"])),
            "network abstract": lambda: connect(socket.AF_UNIX, "\0" + want["abstract"]),
        }
        answers = {}
        for name, attempt in attempts.items():
            pid = os.fork()
            if pid == 0:
                try:
                    attempt()
                    os._exit(0)
                except OSError as refused:
                    os._exit(refused.errno or 255)
                except BaseException:
                    os._exit(254)
            answers[name] = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        with open(share + "/answers", "w") as file:
            file.writelines(f"{name}={code}\n" for name, code in answers.items())
        os.execvp(sys.argv[1], sys.argv[1:])
        """;

    private readonly DirectoryInfo _work = Directory.CreateTempSubdirectory("coherency-escape-");

    private string Share => Path.Combine(_work.FullName, "share");

    public void Dispose() => _work.Delete(recursive: true);

    [Fact]
    public void Without_a_sandbox_each_attempt_succeeds() =>
        Assert.All(Try("none"), attempt => Assert.Equal((attempt.Key, 0), (attempt.Key, attempt.Value)));

    [Fact]
    public void In_a_namespace_each_attempt_fails() => Assert.All(Try("namespace"), attempt => Assert.InRange(attempt.Value, 1, 253));

    [Fact]
    public void In_a_chroot_only_processes_and_network_are_the_hosts() => Assert.All(
        Try("chroot"),
        attempt => Assert.Equal(
            (attempt.Key, attempt.Key.StartsWith("processes", StringComparison.Ordinal) || attempt.Key.StartsWith(
                "network", StringComparison.Ordinal)),
            (attempt.Key, attempt.Value == 0)));

    [Fact]
    public void A_server_in_a_sandbox_does_not_outlive_its_keeper()
    {
        Prepare();
        using KeeperProcess keeper = KeeperProcess.Start(
            Path.Combine(_work.FullName, "run"), "--socket-path", Path.Combine(_work.FullName, "fs.sock"), "--shared-dir", Share,
            "--sandbox=namespace");
        Assert.NotEqual("", Servers());
        ChildProcess.Run("kill", ["-KILL", $"{keeper.Id}"]);
        Assert.True(SpinWait.SpinUntil(() => Servers() == "", TimeSpan.FromSeconds(30)), Servers());
    }

    /// <summary>As virtiofsd has them, and as --modcaps changes them.</summary>
    [Theory]
    [InlineData("", "00000000880000df")]
    [InlineData("--inode-file-handles=never", "00000000880000db")]
    [InlineData("--modcaps=+sys_admin:-mknod", "00000000802000df")]
    public void The_server_has_no_other_capabilities(string option, string expected)
    {
        Prepare();
        using KeeperProcess keeper = KeeperProcess.Start(
            Path.Combine(_work.FullName, "run"),
            ["--socket-path", Path.Combine(_work.FullName, "fs.sock"), "--shared-dir", Share, "--sandbox=namespace",
                .. option.Split(' ', StringSplitOptions.RemoveEmptyEntries)]);
        string server = Servers().Split('\n', StringSplitOptions.RemoveEmptyEntries)[^1];
        Assert.All(
            Directory.GetDirectories($"/proc/{server}/task"),
            thread => Assert.Contains($"CapPrm:\t{expected}", File.ReadAllText(Path.Combine(thread, "status")), StringComparison.Ordinal));
        Assert.Contains("NoNewPrivs:\t1", File.ReadAllText($"/proc/{server}/status"), StringComparison.Ordinal);
    }

    /// <summary>Of this test: their share is in the command line of bubblewrap, and their mounts show it.</summary>
    private string Servers() => ChildProcess.Shell(
        $"for p in $(pgrep -f serve-one); do grep -qs '{_work.Name}/share /share ' /proc/$p/mountinfo && echo $p; done; true");

    private void Prepare()
    {
        Directory.CreateDirectory(Share);
        File.WriteAllText(Path.Combine(Share, "file"), "content");
        File.WriteAllText(Path.Combine(_work.FullName, "outside"), "secret");
        File.CreateSymbolicLink(Path.Combine(Share, "symlink"), Path.Combine(_work.FullName, "outside"));
    }

    /// <returns>What came of each attempt: 0, or an errno.</returns>
    private Dictionary<string, int> Try(string sandbox)
    {
        Prepare();
        string program = Path.Combine(_work.CreateSubdirectory("program").FullName, "attempts.py");
        File.WriteAllText(program, Attempts);
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        using Socket named = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        named.Bind(new UnixDomainSocketEndPoint($"\0{_work.Name}"));
        named.Listen();
        string wanted = System.Text.Json.JsonSerializer.Serialize(new
        {
            share = Share,
            outside = Path.Combine(_work.FullName, "outside"),
            pid = Environment.ProcessId,
            port = ((IPEndPoint)listener.LocalEndpoint).Port,
            @abstract = _work.Name,
        });
        string socket = Path.Combine(_work.FullName, "fs.sock");
        using CompanionProcess keeper = CompanionProcess.Start(
            KeeperProcess.Built[0],
            [.. KeeperProcess.Built[1..], "--socket-path", socket, "--shared-dir", Share, $"--sandbox={sandbox}"],
            [
                ("COHERENCYD_SERVER", $"/usr/bin/python3 {program} {string.Join(' ', DaemonProgram.Built.Command)}"),
                ("COHERENCYD_RUNTIME_DIR", Path.Combine(_work.FullName, "run")), ("ATTEMPTS", wanted),
            ]);
        using (VirtioFsGuest guest = VirtioFsGuest.Connect(socket, new() { ConnectTimeoutMs = 60_000 }))
        {
            Assert.Equal("content"u8, guest.Files.ReadAllBytes("/file"));
        }

        Assert.Equal(0, keeper.WaitForExit(TimeSpan.FromMinutes(1)));
        return File.ReadLines(Path.Combine(Share, "answers")).Select(line => line.Split('=')).ToDictionary(
            parts => parts[0], parts => int.Parse(parts[1], System.Globalization.CultureInfo.InvariantCulture));
    }
}
