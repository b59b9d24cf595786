using System.Net.Sockets;
using Coherency.Tests.Daemon;

namespace Coherency.Tests.Admin;

/// <summary>Where a daemon may listen for administration, and what it says when it may not.</summary>
[Trait("Category", "Root")]
public sealed class AdminListeningTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("coherency-listen-");

    private string Admin => Path.Combine(_folder.FullName, "admin.sock");

    private string[] Serve =>
        ["serve", "--shared-dir", _folder.CreateSubdirectory("share").FullName, "--guest", $"a={_folder.FullName}/a.sock"];

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void The_socket_is_its_users_alone()
    {
        using RunningDaemon daemon = RunningDaemon.Start([.. Serve, "--admin-socket", Admin]);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Admin));
        Assert.Equal(0, daemon.Stop());
        Assert.False(File.Exists(Admin));
    }

    [Fact]
    public void A_socket_of_a_daemon_that_was_killed_is_replaced()
    {
        using (RunningDaemon killed = RunningDaemon.Start([.. Serve, "--admin-socket", Admin]))
        {
            killed.Kill();
        }

        Assert.True(File.Exists(Admin));
        using RunningDaemon daemon = RunningDaemon.Start([.. Serve, "--admin-socket", Admin]);
        Assert.Equal(["a 1"], ForeignClient.Python($"unix:{Admin}", "lists")[..1]);
    }

    [Fact]
    public void A_socket_in_use_is_refused_and_left_alone()
    {
        using Socket listener = Listen();
        AssertRefused($"--admin-socket {Admin} is in use by another daemon", "--admin-socket", Admin);
        Assert.True(File.Exists(Admin));
    }

    [Fact]
    public void What_is_no_socket_is_refused_and_left_alone()
    {
        File.WriteAllText(Admin, "important");
        AssertRefused("exists and is no socket", "--admin-socket", Admin);
        Assert.Equal("important", File.ReadAllText(Admin));
    }

    [Fact]
    public void A_symbolic_link_is_no_socket()
    {
        using Socket listener = Listen(Admin + ".elsewhere");
        File.CreateSymbolicLink(Admin, Admin + ".elsewhere");
        AssertRefused("exists and is no socket", "--admin-socket", Admin);
    }

    [Fact]
    public void A_socket_that_someone_else_owns_is_refused_and_left_alone()
    {
        using (Socket stale = Listen())
        {
            // Dispose would take the file away: it is renamed meanwhile, and stands there as a stale one.
            File.Move(Admin, Admin + ".kept");
        }

        File.Move(Admin + ".kept", Admin);
        ChildProcess.Run("chown", ["nobody", Admin]);
        AssertRefused("belongs to user 65534, this daemon runs as 0", "--admin-socket", Admin);
        Assert.True(File.Exists(Admin));
    }

    [Theory]
    [InlineData("--admin-tls 127.0.0.1:9443", "--admin-tls is possible only with --admin-certificate")]
    [InlineData("--admin-tls 127.0.0.1:9443 --admin-certificate x --admin-key x", "--admin-tls is possible only with --admin-client-ca")]
    [InlineData("--admin-client-ca x", "--admin-client-ca is for --admin-tls ADDRESS:PORT")]
    [InlineData("--no-admin --admin-tls 127.0.0.1:9443 --admin-certificate x --admin-key x --admin-client-ca x", "contradict each other")]
    [InlineData("--admin-tls 9443 --admin-certificate x --admin-key x --admin-client-ca x", "ADDRESS:PORT is right")]
    [InlineData("--admin-tls localhost:9443 --admin-certificate x --admin-key x --admin-client-ca x", "ADDRESS:PORT is right")]
    [InlineData("--admin-tls 127.0.0.1:9443 --admin-certificate /absent --admin-key /absent --admin-client-ca x", "/absent")]
    [InlineData("--admin-socket /proc/admin.sock", "--admin-socket /proc/admin.sock cannot be used: ")]
    public void What_cannot_be_had_is_refused_in_one_line(string options, string expected) => AssertRefused(expected, options.Split(' '));

    [Fact]
    public void A_path_that_is_too_long_is_refused() =>
        AssertRefused("longer than the 107 bytes", "--admin-socket", $"/tmp/{new string('x', 110)}");

    [Fact]
    public void Without_administration_nothing_listens()
    {
        using RunningDaemon daemon = RunningDaemon.Start([.. Serve, "--no-admin", "--admin-socket", Admin]);
        Assert.False(File.Exists(Admin));
        Assert.DoesNotContain("dministration", daemon.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void At_the_usual_place_the_second_daemon_goes_on_without()
    {
        // Both with a /run of their own.
        string run = _folder.CreateSubdirectory("run").FullName;
        using RunningDaemon first = StartWithRun(run, "a");
        Assert.True(File.Exists(Path.Combine(run, "coherencyd", "default", "admin.sock")), first.Output);
        using RunningDaemon second = StartWithRun(run, "b");
        // Log lines are written by a thread of their own.
        const string Expected = "No administration: another daemon is the instance 'default'";
        Assert.True(
            SpinWait.SpinUntil(() => second.Output.Contains(Expected, StringComparison.Ordinal), TimeSpan.FromSeconds(10)), second.Output);
        Assert.DoesNotContain("No administration", first.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_configuration_file_says_where_and_an_option_goes_before_it()
    {
        string file = Path.Combine(_folder.FullName, "config.json");
        File.WriteAllText(file, $$"""
            {
              "shares": [
                {
                  "sharedDir": "{{_folder.CreateSubdirectory("share").FullName}}",
                  "guests": [ { "name": "a", "socket": "{{_folder.FullName}}/a.sock" } ]
                }
              ],
              "admin": { "socket": "{{Admin}}" }
            }
            """);
        using (RunningDaemon daemon = RunningDaemon.Start("serve", "--config", file))
        {
            Assert.True(File.Exists(Admin));
            Assert.Equal(0, daemon.Stop());
        }

        using RunningDaemon other = RunningDaemon.Start("serve", "--config", file, "--admin-socket", Admin + "2");
        Assert.True(File.Exists(Admin + "2"));
        Assert.False(File.Exists(Admin));
    }

    private void AssertRefused(string expected, params string[] options)
    {
        ChildResult result = ChildProcess.Run("dotnet", [RunningDaemon.Program, .. Serve, .. options]);
        Assert.Equal(2, result.ExitCode);
        string line = Assert.Single(result.Errors.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Contains(expected, line, StringComparison.Ordinal);
        Assert.False(File.Exists(Path.Combine(_folder.FullName, "a.sock")));
    }

    private RunningDaemon StartWithRun(string run, string guest)
    {
        string[] command =
        [
            "serve", "--shared-dir", _folder.CreateSubdirectory("share").FullName, "--guest", $"{guest}={_folder.FullName}/{guest}.sock",
        ];
        RunningDaemon daemon = new(
            "unshare", ["--mount", "sh", "-c", "mount --bind \"$0\" /run && exec dotnet \"$@\"", run, RunningDaemon.Program, .. command]);
        daemon.WaitUntilReady();
        return daemon;
    }

    private Socket Listen(string? path = null)
    {
        Socket listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(path ?? Admin));
        listener.Listen();
        return listener;
    }
}
