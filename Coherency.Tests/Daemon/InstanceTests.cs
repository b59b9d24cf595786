using System.Text.Json.Nodes;
using Coherency.Guest;

namespace Coherency.Tests.Daemon;

/// <summary>Daemons that are found by their names, with their configuration where it always is.</summary>
public sealed class InstanceTests : IDisposable
{
    private readonly HostPlaces _host = new();

    public void Dispose() => _host.Dispose();

    [Fact]
    public void Each_is_found_by_its_name_for_as_long_as_it_runs()
    {
        using RunningDaemon first = _host.Start(Serving("one", "a"));
        using RunningDaemon other = _host.Start(
            [.. Serving("two", "b"), "--instance", "other", "--admin-socket", _host.PathOf("elsewhere.sock")]);
        Assert.Equal([("default", first.Id, "a"), ("other", other.Id, "b")], Found());
        Assert.Contains("\na ", _host.Run("admin", "guests").Output, StringComparison.Ordinal);
        Assert.Contains("\nb ", _host.Run("admin", "--instance", "other", "guests").Output, StringComparison.Ordinal);
        Assert.StartsWith("INSTANCE", _host.Run("list").Output.TrimStart(), StringComparison.Ordinal);

        ChildResult added = _host.Run("admin", "add", "--shared-dir", _host.PathOf("two"), "--guest", $"c={_host.SocketOf("c")}");
        Assert.Equal((0, ""), (added.ExitCode, added.Errors));
        Assert.Equal([("default", first.Id, "a c"), ("other", other.Id, "b")], Found());

        // What one that was killed has left, is nobody.
        other.Kill();
        Assert.Equal([("default", first.Id, "a c")], Found());
        Assert.Equal(3, _host.Run("admin", "--instance", "other", "guests").ExitCode);
        using RunningDaemon again = _host.Start([.. Serving("two", "b"), "--instance", "other"]);
        Assert.Equal(["default", "other"], Found().Select(daemon => daemon.Item1));
        Assert.Equal(0, first.Stop());
        Assert.Equal(["other"], Found().Select(daemon => daemon.Item1));
        Assert.False(File.Exists(_host.PathOf("run/default/info.json")));
    }

    [Theory]
    [InlineData("another daemon is the instance 'default'", "--attach")]
    [InlineData("another daemon is the instance 'default'", "--instance", "default")]
    [InlineData("'a/b' cannot be an instance's name", "--instance", "a/b")]
    [InlineData("keepers cannot find it as two", "--instance", "one", "--attach", "two")]
    [InlineData("--expect web-fs0: NAME=TAG is right", "--attach", "--expect", "web-fs0")]
    [InlineData("web is expected, but keepers may not attach guests", "--expect", "web=code")]
    [InlineData("web is expected twice", "--attach", "two", "--expect", "web=code", "--expect", "web=other")]
    public void A_name_that_cannot_be_had_is_refused(string problem, params string[] options)
    {
        using RunningDaemon first = _host.Start(Serving("one", "a"));
        ChildResult refused = _host.Run([.. Serving("two", "b"), .. options]);
        Assert.Equal(2, refused.ExitCode);
        string sentence = Assert.Single(refused.Errors.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Contains(problem, sentence, StringComparison.Ordinal);
        Assert.False(File.Exists(_host.SocketOf("b")));
    }

    [Fact]
    public void Configuration_is_read_where_it_always_is_when_no_share_is_given()
    {
        ChildResult nothing = _host.Run("serve");
        Assert.Equal(2, nothing.ExitCode);
        Assert.Contains($"no share is configured in {_host.PathOf("conf")}", nothing.Errors, StringComparison.Ordinal);

        using (RunningDaemon attaching = _host.Start("serve", "--attach"))
        {
            _host.Configure("coherencyd.json", "one", "a");
            _host.Configure("conf.d/two.json", "two", "b");
            ChildResult reloaded = _host.Run("admin", "reload");
            Assert.Equal((0, ""), (reloaded.ExitCode, reloaded.Errors));
            Assert.Equal(["a b"], Found().Select(daemon => daemon.Item3));
            Assert.Equal(0, attaching.Stop());
        }

        using RunningDaemon daemon = _host.Start("serve");
        VirtioFsGuest.Connect(_host.SocketOf("a")).Dispose();
        VirtioFsGuest.Connect(_host.SocketOf("b")).Dispose();
    }

    private string[] Serving(string directory, string guest) =>
        ["serve", "--shared-dir", _host.PathOf(directory), "--guest", $"{guest}={_host.SocketOf(guest)}"];

    private List<(string, int, string)> Found() =>
    [
        .. JsonNode.Parse(_host.Run("list", "--json").Output)!.AsArray().Select(daemon => (
            (string)daemon!["instance"]!, (int)daemon["pid"]!,
            string.Join(' ', daemon["shares"]!.AsArray().SelectMany(share => share!["guests"]!.AsArray()).Select(name => (string)name!)))),
    ];
}
