using Coherency.Core.Fuse;
using Coherency.Core.Versioning;
using Coherency.Daemon.Commands.Remote;
using Coherency.Guest;
using Coherency.Guest.Coherence;
using Coherency.Guest.Files;
using Grpc.Core;
using Grpc.Health.V1;
using Grpc.Net.Client;
using V1 = Coherency.Admin.V1;

namespace Coherency.Tests.Admin;

/// <summary>What the administration sees and does of guests that work.</summary>
public sealed class GuestSteeringTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly AdminDaemon _daemon = new();
    private readonly GrpcChannel _channel;
    private readonly V1.Admin.AdminClient _admin;

    public GuestSteeringTests()
    {
        _channel = AdminChannel.Open(_daemon.Socket);
        _admin = new V1.Admin.AdminClient(_channel);
    }

    public void Dispose()
    {
        _channel.Dispose();
        _daemon.Dispose();
    }

    [Fact]
    public async Task Guests_show_what_they_do()
    {
        using VirtioFsGuest a = Connect("a");
        using VirtioFsGuest b = Connect("b");
        using VersionTableReader table = OpenTable("a");
        using CoherentCache cache = CoherentCache.Attach(a.Fuse, table);
        using GuestFile open = b.Files.Open("/file");
        V1.Guest[] guests = [.. (await _admin.ListGuestsAsync(new V1.ListGuestsRequest(), deadline: DateTime.UtcNow + Patience)).Guests];
        Assert.All(guests, guest => Assert.Equal(V1.GuestState.Mounted, guest.State));
        Assert.All(guests, guest => Assert.StartsWith("7.", guest.FuseVersion, StringComparison.Ordinal));
        Assert.All(guests, guest => Assert.True(guest.Queues > 0 && guest.Requests > 0));
        Assert.All(guests, guest => Assert.InRange(guest.ConnectedAt.ToDateTime(), DateTime.UtcNow - Patience, DateTime.UtcNow));
        Assert.Equal([true, false], guests.Select(guest => guest.Coherent));
        Assert.Equal([0ul, 1ul], guests.Select(guest => guest.OpenFiles));
        Assert.Equal([0ul, 1ul], guests.Select(guest => guest.Inodes));

        V1.Share share = Assert.Single(
            (await _admin.ListSharesAsync(new V1.ListSharesRequest(), deadline: DateTime.UtcNow + Patience)).Shares);
        Assert.Equal(2ul, share.Inodes);
        Assert.True(share.Descriptors >= 2);
        Assert.Equal(V1.CacheMode.Coherent, share.Cache);
    }

    [Fact]
    public async Task A_table_shows_its_moves()
    {
        using VirtioFsGuest a = Connect("a");
        using VirtioFsGuest b = Connect("b");
        using VersionTableReader table = OpenTable("a");
        using CoherentCache cache = CoherentCache.Attach(a.Fuse, table);
        V1.GetTableResponse before = await GetTable();
        const ulong Changes = 100;
        for (uint i = 0; i < (uint)Changes; i++)
        {
            b.Files.SetPermissions("/file", 0x180 + (i % 8));
        }

        V1.GetTableResponse after = await GetTable();
        // More, where other programs change the same file system.
        Assert.InRange(after.Moves - before.Moves, Changes, ulong.MaxValue / 2);
        Assert.True(after.MovesPerSecond > 0);
        Assert.Equal(before.Epoch, after.Epoch);
        Assert.Equal(64, after.Heat.Count);
        Assert.Contains(before.Heat.Zip(after.Heat), run => run.Second - run.First >= Changes);
        Assert.InRange(after.HeartbeatAge.ToTimeSpan(), TimeSpan.Zero, TimeSpan.FromSeconds(2));
        Assert.Equal(_daemon.SocketOf("a") + ".table", after.Path);

        async Task<V1.GetTableResponse> GetTable() =>
            await _admin.GetTableAsync(new V1.GetTableRequest { Guest = "a", HeatBuckets = 64 }, deadline: DateTime.UtcNow + Patience);
    }

    [Fact]
    public async Task An_invalidated_path_is_stale_in_guests_and_others_are_not()
    {
        using VirtioFsGuest a = Connect("a");
        using VersionTableReader table = OpenTable("a");
        using CoherentCache cache = CoherentCache.Attach(a.Fuse, table);
        NodeId file = a.Files.Walk("/file").Node;
        (SlotKey Slot, VersionSample Sample) governing = (SlotKey.Inode(file.Value), table.Sample(SlotKey.Inode(file.Value)));
        (SlotKey Slot, VersionSample Sample) other = (SlotKey.Inode(12345), table.Sample(SlotKey.Inode(12345)));
        await _admin.InvalidatePathAsync(new V1.InvalidatePathRequest { Path = "file" }, deadline: DateTime.UtcNow + Patience);
        Assert.False(table.IsCurrent(governing.Slot, governing.Sample));
        Assert.True(table.IsCurrent(other.Slot, other.Sample));

        await _admin.InvalidateAllAsync(new V1.InvalidateAllRequest { Guest = "a" }, deadline: DateTime.UtcNow + Patience);
        Assert.False(table.IsCurrent(other.Slot, other.Sample));
    }

    [Fact]
    public async Task A_drained_guest_ends_in_order_and_stays_out_until_it_is_resumed()
    {
        using VirtioFsGuest b = Connect("b");
        VirtioFsGuest a = Connect("a");
        using ManualResetEventSlim works = new();
        Task work = Task.Run(() => WorkUntilItEnds(a, works));
        Assert.True(works.Wait(Patience));
        await _admin.DrainGuestAsync(new V1.DrainGuestRequest { Guest = "a" }, deadline: DateTime.UtcNow + Patience);
        await Assert.ThrowsAnyAsync<IOException>(() => work.WaitAsync(Patience));
        a.Kill();
        Assert.Equal(V1.GuestState.Drained, await StateOfA());
        Assert.ThrowsAny<IOException>(() => Connect("a"));
        Assert.Equal(V1.GuestState.Drained, await StateOfA());
        b.Fuse.GetAttr(NodeId.Root);

        await _admin.DrainGuestAsync(new V1.DrainGuestRequest { Guest = "a", Resume = true }, deadline: DateTime.UtcNow + Patience);
        using VirtioFsGuest again = Connect("a");
        again.Fuse.GetAttr(NodeId.Root);
        Assert.Equal(V1.GuestState.Mounted, await StateOfA());
        Assert.True(
            SpinWait.SpinUntil(() => _daemon.Output.Contains("turned a VMM away", StringComparison.Ordinal), Patience), _daemon.Output);
    }

    [Fact]
    public async Task A_disconnected_guest_may_come_back()
    {
        VirtioFsGuest a = Connect("a");
        V1.DisconnectGuestRequest request = new() { Guest = "a" };
        Assert.True((await _admin.DisconnectGuestAsync(request, deadline: DateTime.UtcNow + Patience)).WasConnected);
        a.Kill();
        using VirtioFsGuest again = Connect("a");
        again.Fuse.GetAttr(NodeId.Root);
    }

    [Fact]
    public async Task The_log_says_more_when_it_is_told_to()
    {
        Connect("a").Dispose();
        V1.SetLogLevelRequest request = new() { Level = "debug", Category = "coherencyd.b" };
        Assert.Equal("information", (await _admin.SetLogLevelAsync(request, deadline: DateTime.UtcNow + Patience)).PreviousLevel);
        Connect("b").Dispose();
        await Eventually.IsTrueAsync(() => _daemon.Output.Contains("b-q0 stopped after", StringComparison.Ordinal));
        Assert.DoesNotContain("a-q0 stopped after", _daemon.Output, StringComparison.Ordinal);
        Assert.Equal("debug", (await _admin.SetLogLevelAsync(request, deadline: DateTime.UtcNow + Patience)).PreviousLevel);
    }

    [Fact]
    public async Task The_daemon_ends_while_a_stream_is_open()
    {
        using AsyncServerStreamingCall<HealthCheckResponse> watch = new Health.HealthClient(_channel).Watch(new HealthCheckRequest());
        Assert.True(await watch.ResponseStream.MoveNext(CancellationToken.None));
        Assert.Equal(0, _daemon.Stop());
        RpcException end = await Assert.ThrowsAsync<RpcException>(() => watch.ResponseStream.MoveNext(CancellationToken.None));
        Assert.Equal((StatusCode.Unavailable, "the daemon is stopping"), (end.StatusCode, end.Status.Detail));
        Assert.False(File.Exists(_daemon.Socket));
    }

    private VirtioFsGuest Connect(string guest) => VirtioFsGuest.Connect(_daemon.SocketOf(guest));

    private VersionTableReader OpenTable(string guest) => VersionTableReader.Open(_daemon.SocketOf(guest) + ".table");

    private async Task<V1.GuestState> StateOfA() =>
        (await _admin.ListGuestsAsync(new V1.ListGuestsRequest(), deadline: DateTime.UtcNow + Patience)).Guests[0].State;

    private static void WorkUntilItEnds(VirtioFsGuest guest, ManualResetEventSlim works)
    {
        while (true)
        {
            guest.Files.ReadAllBytes("/file");
            works.Set();
        }
    }
}
