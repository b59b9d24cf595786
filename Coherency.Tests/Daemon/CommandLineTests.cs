using System.Net.Sockets;
using Coherency.Guest;

namespace Coherency.Tests.Daemon;

/// <summary>What the build leaves.</summary>
public sealed class CommandLineTests() : CommandLineScenarios(DaemonProgram.Built);

/// <summary>What a user meets at the command line: help, clear refusals, a clean stop.</summary>
public abstract class CommandLineScenarios(DaemonProgram program) : IDisposable
{
    private readonly DirectoryInfo _work = Directory.CreateTempSubdirectory("coherency-cli-");

    private string Share => _work.CreateSubdirectory("share").FullName;

    private string Socket => Path.Combine(_work.FullName, "a.sock");

    public void Dispose()
    {
        _work.Delete(recursive: true);
        GC.SuppressFinalize(this);
    }

    [Theory]
    [InlineData("serve --shared-dir /nowhere/at/all --guest a={socket}", "/nowhere/at/all")]
    [InlineData("serve --shared-dir {share}", "has no guest")]
    [InlineData("serve --shared-dir {share} --guest a", "NAME=SOCKET is right")]
    [InlineData("serve --shared-dir {share} --guest a={socket} --guest a={socket}2", "2 guests have the name a")]
    [InlineData("serve --shared-dir {share} --guest a={socket} --guest b={socket}", "2 guests have the socket")]
    [InlineData("serve --shared-dir {share} --guest a={socket} --cache sometimes", "sometimes")]
    [InlineData("serve --shared-dir {share} --guest a={socket} --nonsense", "--nonsense")]
    [InlineData("serve --shared-dir {share} --guest a={socket} --num-request-queues 0", "1 to 64 are possible")]
    [InlineData("serve --shared-dir {share} --guest a={socket} --poll-us -1", "0 to 10000 are possible")]
    [InlineData("serve --shared-dir {share} --guest a={socket} --entry-timeout -1", "a timeout of -1 seconds")]
    [InlineData("serve --shared-dir {share} --guest a={socket} --tag a-tag-that-is-longer-than-thirty-six-bytes", "1 to 36 are possible")]
    [InlineData("serve --shared-dir {share} --guest a=/nowhere/at/all/a.sock", "/nowhere/at/all/a.sock")]
    [InlineData("serve --shared-dir {share} --guest a={socket} --guest b={socket}2 --writeback", "only if one guest writes")]
    [InlineData("serve --shared-dir {share} --guest a={socket} --mount {share} --writeback", "only if one guest writes")]
    [InlineData("serve --shared-dir {share} --guest a={socket} --table-slots 1000", "a power of two from 1024")]
    [InlineData("serve --shared-dir {share} --guest a={socket} --dax-window 3", "8 to 1024 is possible beside a table of 262144")]
    [InlineData("serve --shared-dir {share} --guest a={socket} --dax-window 3", "give 8")]
    [InlineData("serve --shared-dir {share} --guest a={socket} --dax-window 2 --table-slots 1024", "from 4 to 1024 is possible")]
    [InlineData("serve --shared-dir {share} --guest a={socket} --dax-window 2048", "give 1024")]
    [InlineData("serve --shared-dir {share} --guest a={socket} --dax big", "--dax big: a number of bytes is right")]
    [InlineData("serve --shared-dir {share} --guest a={socket} --dax 4M --readonly", "--dax cannot be had with --readonly")]
    [InlineData("serve --shared-dir {share} --guest a={socket} --dax 4M --cache auto", "give --cache coherent")]
    [InlineData("serve --shared-dir {share} --guest a={socket} --dax 4M --allow-direct-io", "--dax leaves nothing for --allow-direct-io")]
    [InlineData("serve --shared-dir {share} --guest a={socket} --guest b={socket}2 --dax 4M", "may be shared by no other guest")]
    [InlineData("serve --shared-dir {share} --guest a={socket} --mount {share} --dax 4M", "may be shared by no other guest")]
    [InlineData("serve --shared-dir {share} --guest a={socket} --table-dir {share}/absent", "cannot open the version table")]
    [InlineData("serve --shared-dir {share} --config x.json", "--shared-dir would have no effect")]
    [InlineData("serve --config x.json --readonly --cache never", "--cache and --readonly would have no effect: write it into x.json")]
    [InlineData("serve --config {share}/absent.json", "cannot read")]
    [InlineData("mount --shared-dir {share} {share}/absent", "mounting at")]
    [InlineData("mount --shared-dir {share}", "MOUNTPOINT")]
    [InlineData("serve --shared-dir {share} --guest a={socket} --metrics 70000", "--metrics 70000: a port, 0 to 65535, is right")]
    [InlineData("serve --shared-dir {share} --guest a={socket} --metrics 192.0.2.1:9121", "--metrics 192.0.2.1:9121: ")]
    [InlineData("dance", "dance")]
    public void What_cannot_be_done_is_refused_in_one_line(string command, string expected)
    {
        string[] arguments = command.Replace("{share}", Share, StringComparison.Ordinal)
            .Replace("{socket}", Socket, StringComparison.Ordinal).Split(' ');
        ChildResult result = Run(arguments);
        Assert.Equal(2, result.ExitCode);
        string line = Assert.Single(result.Errors.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.StartsWith("coherencyd: ", line, StringComparison.Ordinal);
        Assert.Contains(expected, line, StringComparison.Ordinal);
    }

    [Fact]
    public void A_second_daemon_on_the_same_tables_is_refused_in_one_line()
    {
        using RunningDaemon first = Start("--table-dir", _work.FullName);
        ChildResult second = Run(["serve", "--shared-dir", Share, "--guest", $"a={Socket}2", "--table-dir", _work.FullName]);
        Assert.Equal(2, second.ExitCode);
        Assert.Contains(
            "another daemon", Assert.Single(second.Errors.Split('\n', StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);
        Assert.Equal(0, first.Stop());
    }

    [Theory]
    [InlineData("{", "line")]
    [InlineData("{ \"shares\": [] }", "no share is configured")]
    [InlineData("{ \"shares\": [ { \"guests\": [] } ] }", "sharedDir")]
    [InlineData("{ \"shares\": [ { \"sharedDir\": \"/tmp\", \"cahce\": \"auto\" } ] }", "cahce")]
    public void A_configuration_that_is_wrong_is_refused_in_one_line(string json, string expected)
    {
        string file = Path.Combine(_work.FullName, "config.json");
        File.WriteAllText(file, json);
        ChildResult result = Run("serve", "--config", file);
        Assert.Equal(2, result.ExitCode);
        Assert.Contains(
            expected, Assert.Single(result.Errors.Split('\n', StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);
    }

    [Fact]
    public void A_socket_in_use_is_refused_and_left_alone()
    {
        using Socket listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(Socket));
        listener.Listen();
        ChildResult result = Run("serve", "--shared-dir", Share, "--guest", $"a={Socket}");
        Assert.Equal(2, result.ExitCode);
        Assert.Contains("in use by another process", result.Errors, StringComparison.Ordinal);
        Assert.True(File.Exists(Socket));
    }

    [Fact]
    public void A_file_where_the_socket_should_be_is_refused_and_left_alone()
    {
        File.WriteAllText(Socket, "precious");
        ChildResult result = Run("serve", "--shared-dir", Share, "--guest", $"a={Socket}");
        Assert.Equal(2, result.ExitCode);
        Assert.Equal("precious", File.ReadAllText(Socket));
    }

    [Fact]
    public void Help_names_every_command_and_option()
    {
        Assert.All(["serve", "mount", "demo"], command => Assert.Contains(command, Run("--help").Output, StringComparison.Ordinal));
        string serve = Run("serve", "--help").Output;
        Assert.All(
            ["--shared-dir", "--guest", "--cache", "--writeback", "--readonly", "--ask-opens", "--config", "--poll-us"],
            option => Assert.Contains(option, serve, StringComparison.Ordinal));
        Assert.StartsWith(DaemonProgram.Version, Run("--version").Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Serve_tells_how_to_attach_serves_and_stops_cleanly()
    {
        File.WriteAllText(Path.Combine(Share, "file"), "content");
        using RunningDaemon daemon = Start("--tag", "code");
        Assert.Contains($"-chardev socket,id=fs-a,path={Socket}", daemon.Output, StringComparison.Ordinal);
        Assert.Contains("-device vhost-user-fs-pci,chardev=fs-a,tag=code", daemon.Output, StringComparison.Ordinal);
        using (VirtioFsGuest guest = VirtioFsGuest.Connect(Socket))
        {
            Assert.Equal("code", guest.Frontend.Tag);
            Assert.Equal("content"u8, guest.Files.ReadAllBytes("/file"));
        }

        Assert.Equal(0, daemon.Stop());
        Assert.False(File.Exists(Socket), "the socket was left behind");
    }

    [Fact]
    public void A_daemon_stops_while_a_guest_is_attached_and_starts_again_after_a_kill()
    {
        using (RunningDaemon daemon = Start())
        {
            using VirtioFsGuest guest = VirtioFsGuest.Connect(Socket);
            Assert.Equal(0, daemon.Stop());
        }

        using (RunningDaemon killed = Start())
        {
            ChildProcess.Run("kill", ["-KILL", $"{killed.Id}"]);
            killed.WaitForExit();
            Assert.True(File.Exists(Socket));
        }

        using RunningDaemon again = Start();
        Assert.Equal(0, again.Stop());
    }

    [Fact]
    public void A_configuration_serves_several_shares_with_options_of_their_own()
    {
        string other = _work.CreateSubdirectory("other").FullName;
        string config = Path.Combine(_work.FullName, "config.json");
        File.WriteAllText(config, $$"""
            {
              // Comments are allowed.
              "shares": [
                { "sharedDir": "{{Share}}", "tag": "one", "guests": [ { "name": "a", "socket": "{{Socket}}" } ] },
                {
                  "sharedDir": "{{other}}",
                  "cache": "always",
                  "guests": [ { "name": "b", "socket": "{{Socket}}2", "tag": "two", "readonly": true } ]
                },
              ],
            }
            """);
        using RunningDaemon daemon = RunningDaemon.Start(program, ["serve", "--config", config]);
        using VirtioFsGuest a = VirtioFsGuest.Connect(Socket);
        using VirtioFsGuest b = VirtioFsGuest.Connect(Socket + "2");
        a.Files.WriteAllBytes("/file", "text"u8);
        Assert.True(File.Exists(Path.Combine(Share, "file")));
        Assert.Equal("two", b.Frontend.Tag);
        Assert.False(b.Files.Exists("/file"));
        Coherency.Guest.Fuse.FuseException refused = Assert.Throws<Coherency.Guest.Fuse.FuseException>(
            () => b.Files.CreateDirectory("/dir"));
        Assert.Equal(Core.Linux.Errno.EROFS, refused.Errno);
        Assert.Equal(0, daemon.Stop());
    }

    [Fact]
    public void Systemd_is_told_when_it_asks()
    {
        string notify = Path.Combine(_work.FullName, "notify");
        using Socket listener = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(notify));
        listener.ReceiveTimeout = 60_000;
        // The library tells whoever has that name and started the daemon: here a shell, which passes the signal on.
        const string Start = "\"$@\" & trap 'kill -TERM $!' TERM; wait $!; wait $!";
        string systemd = Path.Combine(_work.FullName, "systemd");
        File.Copy("/bin/sh", systemd);
        using RunningDaemon daemon = new(
            systemd,
            ["-c", Start, "sh", .. program.Command, "serve", "--shared-dir", Share, "--guest", $"a={Socket}"],
            ("NOTIFY_SOCKET", notify));
        Assert.Equal("READY=1", Receive(listener));
        Assert.Equal(0, daemon.Stop());
        Assert.Equal("STOPPING=1", Receive(listener));
    }

    [Fact]
    public void Logs_can_be_json()
    {
        using RunningDaemon daemon = Start("--log-format", "json");
        VirtioFsGuest.Connect(Socket).Dispose();
        Assert.Equal(0, daemon.Stop());
        Assert.Contains("\"Guest\":\"a\"", daemon.Output, StringComparison.Ordinal);
    }

    private static string Receive(Socket socket)
    {
        byte[] buffer = new byte[256];
        return System.Text.Encoding.UTF8.GetString(buffer, 0, socket.Receive(buffer));
    }

    private ChildResult Run(params string[] arguments) => program.Run(arguments);

    /// <summary>Serves the share to guest a.</summary>
    private RunningDaemon Start(params string[] options) =>
        RunningDaemon.Start(program, ["serve", "--shared-dir", Share, "--guest", $"a={Socket}", .. options]);
}
