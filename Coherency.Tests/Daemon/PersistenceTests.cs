using System.Diagnostics;
using System.Text.Json.Nodes;
using Coherency.Admin.V1;
using Coherency.Daemon.Commands.Remote;
using Coherency.Guest;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Grpc.Net.Client;
using Xunit.Abstractions;
using AdminClient = Coherency.Admin.V1.Admin.AdminClient;

namespace Coherency.Tests.Daemon;

/// <summary>What administrators asked for persistently is there after a restart, however the daemon ended.</summary>
public sealed class PersistenceTests(ITestOutputHelper output) : IDisposable
{
    private readonly HostPlaces _host = new();

    public void Dispose() => _host.Dispose();

    [Fact]
    public void Who_was_added_persistently_comes_again_until_removed()
    {
        _host.Configure("one.json", "one", "a");
        using (RunningDaemon daemon = _host.Start("serve"))
        {
            Assert.Equal(0, Add("two", "kept", "--persistent").ExitCode);
            Assert.Equal(0, Add("two", "passing").ExitCode);
            daemon.Kill();
        }

        using (RunningDaemon daemon = _host.Start("serve"))
        {
            Assert.Equal(["a", "kept"], Served());
            VirtioFsGuest.Connect(_host.SocketOf("kept")).Dispose();
            // None of the file's.
            Assert.Equal(0, _host.Run("admin", "reload").ExitCode);
            Assert.Equal(["a", "kept"], Served());
            _host.Configure("two.json", "two", "kept");
            Assert.Contains("kept was added persistently already", _host.Run("admin", "reload").Errors, StringComparison.Ordinal);
            Assert.Equal(0, daemon.Stop());
        }

        ChildResult conflict = _host.Run("serve");
        Assert.Equal(2, conflict.ExitCode);
        Assert.Contains(
            $"{_host.Added}, which 'coherencyd admin add --persistent' wrote, and the configuration both have the guest kept",
            Assert.Single(conflict.Errors.Split('\n', StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);

        File.Delete(_host.PathOf("conf/two.json"));
        using (RunningDaemon daemon = _host.Start("serve"))
        {
            Assert.Equal(0, _host.Run("admin", "remove", "kept").ExitCode);
            Assert.Equal(["a"], Served());
        }

        using (RunningDaemon daemon = _host.Start("serve"))
        {
            Assert.Equal(["a"], Served());
        }
    }

    [Fact]
    public void What_cannot_be_written_down_is_not_served()
    {
        _host.Configure("one.json", "one", "a");
        Directory.CreateDirectory(_host.Added + ".new");
        using RunningDaemon daemon = _host.Start("serve");
        ChildResult refused = Add("two", "kept", "--persistent");
        Assert.Equal(1, refused.ExitCode);
        Assert.Contains("added.json.new", refused.Errors, StringComparison.Ordinal);
        Assert.Equal(["a"], Served());
        Assert.False(File.Exists(_host.SocketOf("kept")));
    }

    /// <summary>The file has all that was acknowledged, and of what was not, all or nothing.</summary>
    [Fact]
    [Trait("Category", "Slow")]
    public void Whenever_the_daemon_is_killed_the_next_one_serves_what_was_acknowledged()
    {
        _host.Configure("one.json", "one", "a");
        int seed = Environment.TickCount;
        Random random = new(seed);
        SortedSet<string> present = [];
        int answers = 0;
        for (int round = 0; round < Soak.Count(5, 50); round++)
        {
            using RunningDaemon daemon = _host.Start("serve");
            Assert.True(present.SetEquals(Served().Where(name => name != "a")), $"seed {seed}, round {round}");
            (string pending, int acknowledged) = ChangeUntilKilled(daemon, present, random, TimeSpan.FromMilliseconds(random.Next(600)));
            answers += acknowledged;
            SortedSet<string> written = WrittenDown();
            SortedSet<string> other = [.. present];
            Assert.True(other.Remove(pending) || other.Add(pending));
            Assert.True(
                written.SetEquals(present) || written.SetEquals(other),
                $"seed {seed}, round {round}: [{string.Join(' ', written)}] is neither [{string.Join(' ', present)}] nor with {pending}");
            present = written;
        }

        output.WriteLine($"{answers} changes were acknowledged (seed {seed})");
        Assert.NotEqual(0, answers);
    }

    private (string Pending, int Acknowledged) ChangeUntilKilled(
        RunningDaemon daemon, SortedSet<string> present, Random random, TimeSpan after)
    {
        using GrpcChannel channel = AdminChannel.Open(_host.PathOf("run/default/admin.sock"));
        AdminClient admin = new(channel);
        admin.ListGuests(new ListGuestsRequest());
        using Timer killer = new(_ => Process.GetProcessById(daemon.Id).Kill(), null, after, Timeout.InfiniteTimeSpan);
        for (int acknowledged = 0; ; acknowledged++)
        {
            string guest = $"g{random.Next(6)}";
            try
            {
                if (present.Contains(guest))
                {
                    admin.RemoveGuest(new RemoveGuestRequest { Guest = guest });
                    present.Remove(guest);
                }
                else
                {
                    string one = $$"""{ "name": "{{guest}}", "socket": "{{_host.SocketOf(guest)}}" }""";
                    string share = $$"""{ "sharedDir": "{{_host.PathOf("two")}}", "guests": [{{one}}] }""";
                    admin.AddGuests(new AddGuestsRequest { Share = Struct.Parser.ParseJson(share), Persistent = true });
                    present.Add(guest);
                }
            }
            catch (RpcException gone) when (gone.StatusCode is StatusCode.Unavailable or StatusCode.Internal)
            {
                daemon.WaitForExit();
                return (guest, acknowledged);
            }
        }
    }

    private SortedSet<string> WrittenDown() => File.Exists(_host.Added)
        ? [.. JsonNode.Parse(File.ReadAllText(_host.Added))!["shares"]!.AsArray()
            .SelectMany(share => share!["guests"]!.AsArray()).Select(guest => (string)guest!["name"]!)]
        : [];

    private ChildResult Add(string directory, string guest, params string[] options) =>
        _host.Run(["admin", "add", "--shared-dir", _host.PathOf(directory), "--guest", $"{guest}={_host.SocketOf(guest)}", .. options]);

    private string[] Served() =>
    [
        .. JsonNode.Parse(_host.Run("admin", "guests", "--json").Output)!["guests"]!.AsArray()
            .Select(guest => (string)guest!["name"]!)
            .Order(),
    ];
}
