using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;
using Coherency.Core.Virtio;
using Coherency.Daemon.Configuration;
using Coherency.Daemon.Hosting;
using Coherency.Guest;
using Coherency.Guest.Virtio;
using Coherency.Host.Transports.VhostUser;
using Coherency.Tests.Vm;
using Microsoft.Extensions.Logging.Abstractions;

namespace Coherency.Tests.Hostile;

/// <summary>A front end takes a region of memory away and adds it again whenever its extent changes.</summary>
public sealed class MovedMemoryTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private static readonly fuse_file_lock Write = new() { type = (uint)LockFlags.F_WRLCK, end = long.MaxValue };

    private readonly DirectoryInfo _work = Directory.CreateTempSubdirectory("coherency-moved-");

    public void Dispose() => _work.Delete(recursive: true);

    [Fact]
    public async Task A_request_that_is_answered_while_the_ring_has_no_memory_is_not_lost()
    {
        using GuestServer server = Serve();
        using VirtioFsGuest holder = VirtioFsGuest.Connect(Socket("holder"));
        using VirtioFsGuest moved = VirtioFsGuest.Connect(Socket("moved"));
        (NodeId Node, FileHandle Handle) held = Open(holder);
        holder.Fuse.SetLk(held.Node, held.Handle, 1, Write);
        (NodeId Node, FileHandle Handle) wanted = Open(moved);
        Task waiting = Task.Run(() => moved.Fuse.SetLkw(wanted.Node, wanted.Handle, 1, Write));
        WaitForInFlight(1);
        foreach (GuestRamRegion region in moved.Frontend.Memory.Regions)
        {
            moved.Frontend.RemoveMemoryRegion(region);
        }

        holder.Fuse.SetLk(held.Node, held.Handle, 1, Write with { type = (uint)LockFlags.F_UNLCK });
        WaitForInFlight(0);
        foreach (GuestRamRegion region in moved.Frontend.Memory.Regions)
        {
            moved.Frontend.AddMemoryRegion(region);
        }

        await waiting.WaitAsync(Patience);
        Assert.Equal("content"u8, moved.Files.ReadAllBytes("/file"));

        void WaitForInFlight(int count) =>
            Assert.True(SpinWait.SpinUntil(() => server.Guests[1].Loads[1].Read().InFlight == count, Patience));
    }

    /// <summary>Once its turn has begun, another thread may lead, and go over to other memory at once.</summary>
    [Fact]
    public unsafe void A_request_holds_the_memory_that_its_chain_was_found_in()
    {
        GuestMemory found = Map(out MemoryMapping mapping);
        GuestMemory next = Map(out _);
        Virtqueue queue = new(new VirtqueueSetup(128, 0x10000, 0x11000, 0x12000, VirtioFeatures.Version1), found, 0);
        using VringEvent call = new(signalsAtOnce: false);
        using VirtqueueChannel channel = new(queue, call, _ => { }, NullLogger.Instance);
        using VirtqueueRequest request = channel.Rent(0);
        queue.UseMemory(next);
        request.Take(1);
        request.Hold();
        found.Release();
        Assert.True(mapping.Start != null);
        request.LetGo();
        Assert.True(mapping.Start == null);
        queue.Close();
        next.Release();
    }

    private static GuestMemory Map(out MemoryMapping mapping)
    {
        const int Length = 1 << 20;
        int fd = LinuxException.Check(Libc.MemFdCreate("guest", 0), "memfd_create");
        LinuxException.Check(Libc.FTruncate(fd, Length), "ftruncate");
        mapping = MemoryMapping.MapShared(fd, Length);
        Libc.Close(fd);
        return new GuestMemory([new MemoryRegion(0, 0, Length, 0, mapping)]);
    }

    /// <summary>The thread that carries it out leads no more when it is parked, and the queue works with other memory by then.</summary>
    [Fact]
    public async Task A_request_that_waits_after_the_memory_has_changed_is_answered_where_it_lies()
    {
        ReplyGate gate = new();
        using GuestServer server = Serve(gate.Interposition);
        using VirtioFsGuest holder = VirtioFsGuest.Connect(Socket("holder"));
        using VirtioFsGuest moved = VirtioFsGuest.Connect(Socket("moved"));
        (NodeId Node, FileHandle Handle) held = Open(holder);
        holder.Fuse.SetLk(held.Node, held.Handle, 1, Write);
        (NodeId Node, FileHandle Handle) wanted = Open(moved);
        using HeldReply attempt = gate.Hold("moved", FuseOpcode.SetLk, moved.Fuse.GetAttr(wanted.Node).attr.ino);
        Task waiting = Task.Run(() => moved.Fuse.SetLkw(wanted.Node, wanted.Handle, 1, Write));
        await attempt.WaitAsync();
        moved.Frontend.SetMemoryTable();
        Assert.Equal("content"u8, moved.Files.ReadAllBytes("/file"));
        attempt.Release();
        // What was there before is gone once this has been answered.
        moved.Frontend.SetMemoryTable();
        Assert.Equal("content"u8, moved.Files.ReadAllBytes("/file"));
        holder.Fuse.SetLk(held.Node, held.Handle, 1, Write with { type = (uint)LockFlags.F_UNLCK });
        await waiting.WaitAsync(Patience);
    }

    private GuestServer Serve(Interposition? interposition = null)
    {
        string share = _work.CreateSubdirectory("share").FullName;
        File.WriteAllText(Path.Combine(share, "file"), "content");
        ShareConfiguration configuration = new()
        {
            SharedDir = share,
            NumRequestQueues = 1,
            Guests =
            [
                new GuestConfiguration { Name = "holder", Socket = Socket("holder") },
                new GuestConfiguration { Name = "moved", Socket = Socket("moved") },
            ],
        };
        return new GuestServer(new ServeConfiguration { Shares = [configuration] }, new CollectedLog(), interposition);
    }

    private string Socket(string guest) => Path.Combine(_work.FullName, guest + ".sock");

    private static (NodeId Node, FileHandle Handle) Open(VirtioFsGuest guest)
    {
        NodeId node = new(guest.Fuse.Lookup(NodeId.Root, "file"u8).nodeid);
        return (node, new FileHandle(guest.Fuse.Open(node, OpenFlags.O_RDWR).fh));
    }
}
