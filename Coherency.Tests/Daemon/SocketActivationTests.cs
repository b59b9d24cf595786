using System.Net;
using System.Net.Sockets;
using Coherency.Guest;
using Coherency.Tests.Keeper;

namespace Coherency.Tests.Daemon;

/// <summary>systemd's own program listens in the daemon's place, and starts it when somebody connects.</summary>
public sealed class SocketActivationTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly HostPlaces _host = new();

    public SocketActivationTests()
    {
        Directory.CreateDirectory(_host.PathOf("run/default"));
        File.WriteAllText(_host.PathOf("one/file"), "content");
    }

    public void Dispose() => _host.Dispose();

    [Fact]
    public void The_first_virtual_machine_starts_the_daemon()
    {
        string socket = _host.PathOf("run/default/attach.sock");
        using CompanionProcess daemon = Listen(["--seqpacket", "--fdname=attach", "-l", socket], "serve", "--no-admin");
        Assert.DoesNotContain("ready", daemon.Output, StringComparison.Ordinal);
        using (KeeperProcess keeper = KeeperProcess.Start(
            _host.PathOf("run"), "--socket-path", _host.SocketOf("vm"), "--shared-dir", _host.PathOf("one"), "--join", "always"))
        {
            using (VirtioFsGuest guest = VirtioFsGuest.Connect(_host.SocketOf("vm")))
            {
                Assert.Equal("content"u8, guest.Files.ReadAllBytes("/file"));
            }

            Assert.Equal(0, keeper.WaitForExit());
        }

        Assert.Contains("ready", daemon.Output, StringComparison.Ordinal);
        ChildProcess.Run("kill", ["-TERM", $"{daemon.ProcessId}"]);
        Assert.Equal(0, daemon.WaitForExit(Patience));
        Assert.True(File.Exists(socket));
    }

    [Fact]
    public async Task Administration_and_metrics_are_answered_on_sockets_that_were_there()
    {
        _host.Configure("one.json", "one", "a");
        string socket = _host.PathOf("run/default/admin.sock");
        int port = FreePort();
        using CompanionProcess daemon = Listen(["--fdname=admin:metrics", "-l", socket, "-l", $"127.0.0.1:{port}"], "serve");
        Assert.Contains("\na ", _host.Run("admin", "guests").Output, StringComparison.Ordinal);
        using HttpClient scraper = new();
        string metrics = await scraper.GetStringAsync(new Uri($"http://127.0.0.1:{port}/metrics"));
        Assert.Contains("coherency_", metrics, StringComparison.Ordinal);
        ChildProcess.Run("kill", ["-TERM", $"{daemon.ProcessId}"]);
        Assert.Equal(0, await daemon.WaitForExitAsync(Patience));
        Assert.True(File.Exists(socket));
    }

    [Theory]
    [InlineData("colour", "a socket was passed as 'colour': attach, admin, dashboard, metrics are known")]
    [InlineData("attach", "what was passed as 'attach' is no listening socket of the right kind (ListenSequentialPacket=)")]
    [InlineData("metrics", "a port of the network is right")]
    public void What_is_not_what_its_name_says_is_refused(string name, string problem)
    {
        _host.Configure("one.json", "one", "a");
        string socket = _host.PathOf("run/x.sock");
        using CompanionProcess daemon = Listen([$"--fdname={name}", "-l", socket], "serve");
        using Socket client = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        client.Connect(new UnixDomainSocketEndPoint(socket));
        Assert.Equal(2, daemon.WaitForExit(Patience));
        Assert.Contains(problem, daemon.Output, StringComparison.Ordinal);
    }

    /// <summary>Returns when the sockets are there.</summary>
    private CompanionProcess Listen(string[] sockets, params string[] arguments)
    {
        CompanionProcess process = CompanionProcess.Start(
            "systemd-socket-activate",
            [
                .. sockets, .. _host.Environment.SelectMany(one => (string[])["-E", $"{one.Name}={one.Value}"]),
                .. DaemonProgram.Built.Command, .. arguments,
            ]);
        string file = sockets.Last(argument => argument.StartsWith('/'));
        process.WaitUntil(
            "its sockets", () => File.Exists(file) && process.Output.Contains("Listening", StringComparison.Ordinal), Patience);
        return process;
    }

    private static int FreePort()
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
