using System.Diagnostics;
using System.Text.Json.Nodes;
using Coherency.Core.Fuse;
using Coherency.Core.Versioning;
using Coherency.Daemon.Commands.Remote;
using Coherency.Guest;
using Coherency.Guest.Coherence;
using Coherency.Guest.Files;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Grpc.Health.V1;
using Grpc.Net.Client;
using Xunit.Abstractions;
using V1 = Coherency.Admin.V1;

namespace Coherency.Tests.Admin;

/// <summary>Guests and shares that come and go while a daemon runs.</summary>
public sealed class MembershipTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly DirectoryInfo _work = Directory.CreateTempSubdirectory("coherency-membership-");
    private readonly ITestOutputHelper _output;
    private readonly AdminDaemon _daemon = new();
    private readonly GrpcChannel _channel;
    private readonly V1.Admin.AdminClient _admin;

    public MembershipTests(ITestOutputHelper output)
    {
        _output = output;
        _channel = AdminChannel.Open(_daemon.Socket);
        _admin = new V1.Admin.AdminClient(_channel);
    }

    private static DateTime Deadline => DateTime.UtcNow + Patience;

    public void Dispose()
    {
        _channel.Dispose();
        _daemon.Dispose();
        _work.Delete(recursive: true);
    }

    [Fact]
    public void Who_is_added_is_coherent_with_those_that_were_there_and_leaves_nothing()
    {
        using VirtioFsGuest a = VirtioFsGuest.Connect(_daemon.SocketOf("a"));
        V1.AddGuestsResponse added = _admin.AddGuests(Request(_daemon.Share, "c"), deadline: Deadline);
        V1.AddedGuest instructions = Assert.Single(added.Guests);
        Assert.Equal("c", instructions.Name);
        Assert.Contains(instructions.Instructions, line => line.Contains($"path={SocketOf("c")} ", StringComparison.Ordinal));
        Assert.Single(_admin.ListShares(new V1.ListSharesRequest(), deadline: Deadline).Shares);

        using (VirtioFsGuest c = VirtioFsGuest.Connect(SocketOf("c")))
        using (VersionTableReader table = VersionTableReader.Open(SocketOf("c") + ".table"))
        using (CoherentCache cache = CoherentCache.Attach(c.Fuse, table))
        {
            for (int i = 0; i < 100; i++)
            {
                Assert.Null(cache.Lookup(NodeId.Root, $"new{i}"));
                a.Files.CreateFile($"/new{i}").Dispose();
                Assert.NotNull(cache.Lookup(NodeId.Root, $"new{i}"));
            }

            Assert.Equal(["a", "b", "c"], Guests());
            Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, HealthOf("c"));
        }

        // Not in order: it holds a file open.
        VirtioFsGuest again = VirtioFsGuest.Connect(SocketOf("c"));
        again.Files.Open("/file");
        _admin.RemoveGuest(new V1.RemoveGuestRequest { Guest = "c" }, deadline: Deadline);
        Assert.ThrowsAny<IOException>(() => again.Fuse.GetAttr(NodeId.Root));
        again.Kill();
        Assert.Equal(["a", "b"], Guests());
        Assert.False(File.Exists(SocketOf("c")));
        Assert.False(File.Exists(SocketOf("c") + ".table"));
        RpcException unknown = Assert.Throws<RpcException>(() => HealthOf("c"));
        Assert.Equal(StatusCode.NotFound, unknown.StatusCode);
        a.Fuse.GetAttr(NodeId.Root);
    }

    [Fact]
    public void A_share_goes_with_its_last_guest()
    {
        string other = _work.CreateSubdirectory("other").FullName;
        File.WriteAllText(Path.Combine(other, "text"), "text");
        _admin.AddGuests(Request(other, "c"), deadline: Deadline);
        _admin.AddGuests(Request(other, "d"), deadline: Deadline);
        Assert.Equal([_daemon.Share, other], Shares());
        _admin.RemoveGuest(new V1.RemoveGuestRequest { Guest = "c" }, deadline: Deadline);
        Assert.Equal([_daemon.Share, other], Shares());
        using (VirtioFsGuest d = VirtioFsGuest.Connect(SocketOf("d")))
        {
            Assert.Equal("text"u8.ToArray(), d.Files.ReadAllBytes("/text"));
        }

        _admin.RemoveGuest(new V1.RemoveGuestRequest { Guest = "d" }, deadline: Deadline);
        Assert.Equal([_daemon.Share], Shares());

        _admin.AddGuests(Request(other, "c"), deadline: Deadline);
        using VirtioFsGuest c = VirtioFsGuest.Connect(SocketOf("c"));
        Assert.Equal("text"u8.ToArray(), c.Files.ReadAllBytes("/text"));
    }

    [Theory]
    [InlineData("""{ "sharedDir": "SHARE", "guests": [{ "name": "a", "socket": "WORK/a.sock" }] }""", "a guest named a is served already")]
    [InlineData("""{ "sharedDir": "SHARE", "guests": [{ "name": "c", "socket": "c.sock" }] }""", "does not begin with a slash")]
    [InlineData(
        """{ "sharedDir": "SHARE", "guests": [{ "name": "c", "socket": "WORK/c.sock" }, { "name": "c", "socket": "WORK/d.sock" }] }""",
        "2 guests have the name c")]
    [InlineData("""{ "sharedDir": "SHARE", "guests": [] }""", "has no guest")]
    [InlineData("""{ "sharedDir": "SHARE", "guests": [{ "name": "c", "socket": "WORK/c.sock" }], "cache": "sometimes" }""", "cache")]
    [InlineData("""{ "sharedDir": "SHARE", "guests": [{ "name": "c", "socket": "WORK/c.sock" }], "colour": "red" }""", "colour")]
    [InlineData("""{ "guests": [{ "name": "c", "socket": "WORK/c.sock" }] }""", "sharedDir")]
    [InlineData("""{ "sharedDir": "WORK/absent", "guests": [{ "name": "c", "socket": "WORK/c.sock" }] }""", "absent")]
    [InlineData("""{ "sharedDir": "SHARE", "guests": [{ "name": "c", "socket": "WORK/file" }] }""", "exists and is no socket")]
    [InlineData(
        """{ "sharedDir": "SHARE", "guests": [{ "name": "c", "socket": "WORK/c.sock" }, { "name": "d", "socket": "WORK/file" }] }""",
        "exists and is no socket")]
    [InlineData(
        """{ "sharedDir": "SHARE", "guests": [{ "name": "c", "socket": "WORK/c.sock" }], "inodeFileHandles": "never" }""",
        "--inode-file-handles")]
    [InlineData("""{ "sharedDir": "WORK", "guests": [{ "name": "c", "socket": "WORK/c.sock" }], "mounts": ["/mnt"] }""", "mounts nothing")]
    [InlineData("""{}""", "sharedDir")]
    public void What_cannot_be_added_is_refused_and_leaves_nothing(string share, string problem)
    {
        File.WriteAllText(Path.Combine(_work.FullName, "file"), "");
        string json = share.Replace("SHARE", _daemon.Share, StringComparison.Ordinal)
            .Replace("WORK", _work.FullName, StringComparison.Ordinal);
        RpcException refused = Assert.Throws<RpcException>(
            () => _admin.AddGuests(new V1.AddGuestsRequest { Share = Struct.Parser.ParseJson(json) }, deadline: Deadline));
        Assert.Contains(problem, refused.Status.Detail, StringComparison.Ordinal);
        Assert.Contains(refused.StatusCode, (StatusCode[])[StatusCode.InvalidArgument, StatusCode.FailedPrecondition]);
        Assert.Equal(["a", "b"], Guests());
        Assert.Equal([_daemon.Share], Shares());
        Assert.Equal(["file"], Directory.GetFileSystemEntries(_work.FullName).Select(Path.GetFileName));
    }

    [Fact]
    public void The_command_line_adds_and_removes_and_prints_what_is_served()
    {
        string other = _work.CreateSubdirectory("other").FullName;
        ChildResult added = _daemon.Ask(
            "add", "--shared-dir", other, "--guest", $"c={SocketOf("c")}", "--cache", "never", "--translate-uid", "map:0:1000:1");
        Assert.True(added.ExitCode == 0, added.Errors);
        Assert.Contains("mount -t virtiofs other /mnt", added.Output, StringComparison.Ordinal);

        string file = Path.Combine(_work.FullName, "served.json");
        File.WriteAllText(file, _daemon.Ask("config").Output);
        JsonArray shares = JsonNode.Parse(File.ReadAllText(file))!["shares"]!.AsArray();
        Assert.Equal(2, shares.Count);
        Assert.Equal("map:0:1000:1", (string?)shares[1]!["translateUid"]![0]);

        Assert.Contains("removed", _daemon.Ask("remove", "c").Output, StringComparison.Ordinal);
        Assert.Contains("there is no guest c", _daemon.Ask("remove", "c").Errors, StringComparison.Ordinal);
        Assert.Contains("without --config", _daemon.Ask("reload").Errors, StringComparison.Ordinal);
        Assert.Equal(["a", "b"], Guests());
        // Another daemon serves the same by what this one has printed.
        _daemon.Stop();
        using Daemon.RunningDaemon next = Daemon.RunningDaemon.Start("serve", "--config", file, "--admin-socket", _daemon.Socket);
        Assert.Equal(["a", "b", "c"], Guests());
    }

    /// <summary>While another guest works. What they had is given back a minute after them.</summary>
    [Fact]
    [Trait("Category", "Slow")]
    public async Task Guests_that_come_and_go_leave_no_descriptor_and_no_thread()
    {
        int cycles = Soak.Count(200, 1000);
        string other = _work.CreateSubdirectory("other").FullName;
        using VirtioFsGuest a = VirtioFsGuest.Connect(_daemon.SocketOf("a"));
        using CancellationTokenSource ends = new();
        Task<long> work = Task.Factory.StartNew(() => AskUntil(a, ends.Token), TaskCreationOptions.LongRunning);
        Cycle(other, 0);
        (int descriptors, int threads) = Count();
        Stopwatch adding = new();
        for (int i = 0; i < cycles; i++)
        {
            adding.Start();
            string directory = i % 2 == 0 ? other : _daemon.Share;
            _admin.AddGuests(Request(directory, "c"), deadline: Deadline);
            adding.Stop();
            if (i % 10 == 0)
            {
                VirtioFsGuest.Connect(SocketOf("c")).Dispose();
            }

            _admin.RemoveGuest(new V1.RemoveGuestRequest { Guest = "c" }, deadline: Deadline);
        }

        await Task.Delay(TimeSpan.FromSeconds(61));
        Cycle(other, cycles);
        await ends.CancelAsync();
        (int descriptorsAfter, int threadsAfter) = Count();
        _output.WriteLine(
            $"{cycles} cycles; {adding.Elapsed.TotalMilliseconds / cycles:F1} ms to add a guest; descriptors {descriptors} to " +
            $"{descriptorsAfter}, threads {threads} to {threadsAfter}; the other guest had {await work} answers");
        Assert.InRange(descriptorsAfter, 0, descriptors + 20);
        Assert.InRange(threadsAfter, 0, threads + 20);
    }

    private static long AskUntil(VirtioFsGuest guest, CancellationToken ends)
    {
        long answers = 0;
        for (; !ends.IsCancellationRequested; answers++)
        {
            guest.Fuse.GetAttr(NodeId.Root);
            Thread.Sleep(1);
        }

        return answers;
    }

    private void Cycle(string directory, int number)
    {
        _admin.AddGuests(Request(directory, $"cycle{number}"), deadline: Deadline);
        _admin.RemoveGuest(new V1.RemoveGuestRequest { Guest = $"cycle{number}" }, deadline: Deadline);
    }

    private (int Descriptors, int Threads) Count() => (
        Directory.GetFileSystemEntries($"/proc/{_daemon.Id}/fd").Length, Directory.GetFileSystemEntries($"/proc/{_daemon.Id}/task").Length);

    private HealthCheckResponse.Types.ServingStatus HealthOf(string guest) => new Health.HealthClient(_channel).Check(
        new HealthCheckRequest { Service = $"coherency.guest.{guest}" }, deadline: Deadline).Status;

    private string[] Guests() =>
        [.. _admin.ListGuests(new V1.ListGuestsRequest(), deadline: Deadline).Guests.Select(guest => guest.Name).Order()];

    private string[] Shares() =>
        [.. _admin.ListShares(new V1.ListSharesRequest(), deadline: Deadline).Shares.Select(share => share.Directory)];

    private string SocketOf(string guest) => Path.Combine(_work.FullName, $"{guest}.sock");

    private V1.AddGuestsRequest Request(string directory, string guest) => new()
    {
        Share = Struct.Parser.ParseJson(
            $$"""{ "sharedDir": "{{directory}}", "guests": [{ "name": "{{guest}}", "socket": "{{SocketOf(guest)}}" }] }"""),
    };
}
