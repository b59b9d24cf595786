using Coherency.Core.Fuse;
using Coherency.Core.Versioning;
using Coherency.Guest;
using Coherency.Guest.Coherence;
using Coherency.Tests.Vm;
using Xunit;

namespace Coherency.Tests.Daemon;

/// <summary>Virtual machines, and the daemon itself, that are stopped and go on.</summary>
public sealed class StoppedTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private readonly DirectoryInfo _work = Directory.CreateTempSubdirectory("coherency-stopped-");

    public void Dispose() => _work.Delete(recursive: true);

    /// <summary>It may have been taken back to an earlier state: of what it changed itself since then, no slot tells.</summary>
    [Fact]
    public void A_machine_that_goes_on_believes_nothing_from_before()
    {
        string shared = _work.CreateSubdirectory("shared").FullName;
        File.WriteAllText(Path.Combine(shared, "file"), "text");
        using ServedCaches guests = new(shared, shared);
        NodeId file = guests[0].Lookup(NodeId.Root, "file")!.Value;
        guests[0].GetAttributes(file);
        guests[1].GetAttributes(NodeId.Root);
        Assert.Equal(0, MissesOf(guests[1], NodeId.Root));
        Assert.Equal(0, MissesOf(guests[0], file));
        guests.Guests[0].Frontend.StopAndContinue();
        Assert.NotEqual(0, MissesOf(guests[0], file));
        Assert.Equal(0, MissesOf(guests[0], file));
        // Others are not concerned, and nothing was dropped that the guest holds.
        Assert.Equal(0, MissesOf(guests[1], NodeId.Root));
        Assert.Equal(file, guests[0].Lookup(NodeId.Root, "file"));
        Assert.True(guests.Log.WaitFor("was stopped or goes on"));
    }

    [Fact]
    public async Task A_daemon_that_stands_still_loses_nothing()
    {
        string shared = _work.CreateSubdirectory("shared").FullName;
        string socket = Path.Combine(_work.FullName, "guest.sock");
        File.WriteAllText(Path.Combine(shared, "file"), "text");
        using RunningDaemon daemon = RunningDaemon.Start("serve", "--shared-dir", shared, "--guest", $"guest={socket}");
        using VirtioFsGuest guest = VirtioFsGuest.Connect(socket);
        using VersionTableReader table = VersionTableReader.Open(socket + ".table");
        using CoherentCache cache = CoherentCache.Attach(guest.Fuse, table);
        NodeId file = cache.Lookup(NodeId.Root, "file")!.Value;
        Assert.Null(cache.Lookup(NodeId.Root, "new"));
        Assert.Equal(4UL, cache.GetAttributes(file).size);
        using TableWatch watch = new(table);
        SlotKey slot = SlotKey.Inode(file.Value);
        WatchSample sample = watch.Sample(slot);
        Assert.True(watch.IsCurrent(slot, sample));
        ulong stopped = table.Heartbeat;
        await HostShell.ExpectAsync($"kill -STOP {daemon.Id}");
        await HostShell.ExpectAsync($"echo more >>{shared}/file; touch {shared}/new");
        // Longer than a reader believes in a daemon without a heartbeat.
        Assert.True(SpinWait.SpinUntil(() => !watch.IsCurrent(slot, sample), Patience));
        await HostShell.ExpectAsync($"kill -CONT {daemon.Id}");
        Assert.True(SpinWait.SpinUntil(() => table.Heartbeat != stopped, Patience));
        Assert.True(SpinWait.SpinUntil(() => cache.GetAttributes(file).size == 9, Patience));
        Assert.True(SpinWait.SpinUntil(() => cache.Lookup(NodeId.Root, "new") is not null, Patience));
    }

    /// <summary>Requests for attributes that were asked for a moment ago.</summary>
    private static long MissesOf(CoherentCache cache, NodeId node)
    {
        long before = cache.Misses;
        cache.GetAttributes(node);
        return cache.Misses - before;
    }
}
