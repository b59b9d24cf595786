using System.Runtime.InteropServices;
using System.Text;
using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;
using Coherency.Core.VhostUser;
using Coherency.Core.VhostUser.Abi;
using Coherency.Core.Virtio.Abi;
using Coherency.Guest;
using Coherency.Guest.Fuse;
using Coherency.Guest.VhostUser;
using Coherency.Guest.Virtio;
using Microsoft.Win32.SafeHandles;
using Xunit;

namespace Coherency.Tests.Hostile;

/// <summary>
/// QEMU announces what it maps into the shared memory of a device as memory of the guest. There a guest may let data lie that it reads or
/// writes, and nothing that the daemon looks at itself: others can take the pages away.
/// </summary>
public sealed unsafe class SharedMemoryTests(HostileTestBed bed) : IClassFixture<HostileTestBed>
{
    /// <summary>Behind the guest's memory, in both address spaces.</summary>
    private const ulong WindowAddress = 0x10_0000_0000;

    private const int HeaderBytes = 4096;

    private static readonly Dictionary<string, (Func<AttackedRing, vring_desc[]> Chain, int Error, string Logged)> Places = new()
    {
        ["a header"] = (
            ring => [ring.Readable(AttackedRing.Next, 1) with { addr = WindowAddress }, ring.Writable()],
            (int)Errno.EINVAL, "the header lies in shared memory of the device"),
        ["half a header"] = (
            ring =>
            [
                ring.Readable(AttackedRing.Next, 1) with { len = 8 },
                ring.Readable(AttackedRing.Next, 2) with { addr = WindowAddress },
                ring.Writable(),
            ],
            (int)Errno.EINVAL, "the header lies in shared memory of the device"),
        ["arguments"] = (
            ring =>
            [
                ring.Readable(AttackedRing.Next, 1) with { len = (uint)sizeof(fuse_in_header) },
                ring.Readable(AttackedRing.Next, 2) with { addr = WindowAddress, len = (uint)sizeof(fuse_getattr_in) },
                ring.Writable(),
            ],
            (int)Errno.EFAULT, "arguments of GetAttr lie in shared memory of the device"),
        ["an indirect table"] = (
            ring => [RingAttacks.Table(ring, 32) with { addr = WindowAddress }],
            0, "is not one"),
        ["a reply"] = (
            ring =>
            [
                ring.Readable(AttackedRing.Next, 1),
                ring.Writable(AttackedRing.Next, 2) with { len = (uint)sizeof(fuse_out_header) },
                ring.Writable() with { addr = WindowAddress },
            ],
            (int)Errno.EFAULT, ""),
        ["a reply's header"] = (
            ring => [ring.Readable(AttackedRing.Next, 1), ring.Writable() with { addr = WindowAddress }],
            0, "left room for"),
    };

    public static TheoryData<string> PlaceNames => [.. Places.Keys];

    [Theory]
    [MemberData(nameof(PlaceNames))]
    public void What_the_daemon_looks_at_is_refused_there(string name)
    {
        (Func<AttackedRing, vring_desc[]> chain, int error, string logged) = Places[name];
        bed.Log.Clear();
        using (VirtioFsGuest guest = bed.ConnectGuest())
        {
            byte[] before = AnnounceTable(guest.Frontend);
            AttackedRing ring = new(guest.Frontend, queue: 0);
            ring.Reply.Span.Clear();
            Offer(ring, chain(ring));
            Assert.True(ring.WaitUsed(), "the chain never came back");
            Assert.Equal(-error, MemoryMarshal.Read<fuse_out_header>(ring.Reply.Span).error);
            bed.ExpectLogged(logged);
            Assert.Equal(before, ReadTable(before.Length));
            bed.ExpectHonestGuestWorks();
        }

        bed.WaitForCleanup();
    }

    [Fact]
    public void A_ring_there_is_refused()
    {
        bed.Log.Clear();
        using (VhostUserFrontend frontend = bed.Connect())
        {
            frontend.NegotiateProtocol();
            frontend.CreateMemory();
            frontend.CreateQueues();
            frontend.SetFeatures();
            frontend.ShareMemory();
            AnnounceTable(frontend);
            uint entries = (uint)frontend.Queues[1].Size;
            frontend.Tell(VhostUserRequest.SetVringNum, new vhost_vring_state { index = 1, num = entries });
            frontend.Tell(VhostUserRequest.SetVringAddr, new vhost_vring_addr
            {
                index = 1,
                descriptor = WindowAddress,
                available = WindowAddress + 0x4000,
                used = WindowAddress + 0x8000,
            });
            frontend.Connection.Send((uint)VhostUserRequest.SetVringEnable, 0, new vhost_vring_state { index = 1, num = 1 });
            frontend.Connection.Send((uint)VhostUserRequest.SetVringKick, 0, 1UL, [frontend.Queues[1].Kick.Fd]);
            bed.ExpectLogged("outside the guest's memory");
        }

        bed.WaitForCleanup();
        bed.ExpectHonestGuestWorks();
    }

    /// <summary>A program's write() from a mapping, and its read() into one.</summary>
    [Fact]
    public void Data_goes_from_there_to_a_file_and_back()
    {
        using (VirtioFsGuest guest = bed.ConnectGuest())
        {
            byte[] table = AnnounceTable(guest.Frontend);
            CreatedFile created = guest.Fuse.Create(NodeId.Root, "from-window"u8, OpenFlags.O_RDWR, 0x1A4);
            NodeId node = new(created.Entry.nodeid);
            AttackedRing ring = new(guest.Frontend, queue: 0);

            GuestBuffer write = guest.Frontend.Memory.Allocate(sizeof(fuse_in_header) + sizeof(fuse_write_in));
            Head(write, FuseOpcode.Write, node, HeaderBytes, new fuse_write_in { fh = created.Opened.fh, size = HeaderBytes });
            Offer(
                ring,
                new vring_desc { addr = write.Address, len = (uint)write.Length, flags = AttackedRing.Next, next = 1 },
                new vring_desc { addr = WindowAddress, len = HeaderBytes, flags = AttackedRing.Next, next = 2 },
                ring.Writable());
            Assert.True(ring.WaitUsed(), "the chain never came back");
            Assert.Equal(0, MemoryMarshal.Read<fuse_out_header>(ring.Reply.Span).error);
            byte[] written = File.ReadAllBytes(Path.Combine(bed.Share, "from-window"));
            // The heartbeat may have moved meanwhile: what stands before it.
            Assert.Equal(table[..320], written[..320]);

            File.WriteAllText(Path.Combine(bed.Share, "to-window"), "into the window");
            NodeId source = new(guest.Fuse.Lookup(NodeId.Root, "to-window"u8).nodeid);
            ulong handle = guest.Fuse.Open(source, OpenFlags.O_RDONLY).fh;
            GuestBuffer read = guest.Frontend.Memory.Allocate(sizeof(fuse_in_header) + sizeof(fuse_read_in));
            Head(read, FuseOpcode.Read, source, 0, new fuse_read_in { fh = handle, size = HeaderBytes });
            Offer(
                ring,
                new vring_desc { addr = read.Address, len = (uint)read.Length, flags = AttackedRing.Next, next = 1 },
                ring.Writable(AttackedRing.Next, 2) with { len = (uint)sizeof(fuse_out_header) },
                ring.Writable() with { addr = WindowAddress + (ulong)(table.Length - HeaderBytes), len = HeaderBytes });
            Assert.True(ring.WaitUsed(), "the chain never came back");
            Assert.Equal((0, (uint)sizeof(fuse_out_header) + 15), HeaderOf(ring));
            Assert.Equal("into the window"u8, ReadTable(table.Length).AsSpan(table.Length - HeaderBytes, 15));

            // What is taken away is nowhere.
            guest.Frontend.Tell(VhostUserRequest.RemMemReg, Region(table.Length), []);
            Offer(
                ring,
                new vring_desc { addr = write.Address, len = (uint)write.Length, flags = AttackedRing.Next, next = 1 },
                new vring_desc { addr = WindowAddress, len = HeaderBytes, flags = AttackedRing.Next, next = 2 },
                ring.Writable());
            Assert.True(ring.WaitUsed(), "the chain never came back");
            Assert.Equal(-(int)Errno.EIO, HeaderOf(ring).Error);
        }

        bed.WaitForCleanup();
    }

    private static (int Error, uint Length) HeaderOf(AttackedRing ring)
    {
        fuse_out_header header = MemoryMarshal.Read<fuse_out_header>(ring.Reply.Span);
        return (header.error, header.len);
    }

    private static void Head<T>(GuestBuffer request, FuseOpcode opcode, NodeId node, int payloadBytes, in T body)
        where T : unmanaged
    {
        uint bytes = (uint)(request.Length + payloadBytes);
        MemoryMarshal.Write(request.Span, new fuse_in_header { len = bytes, opcode = (uint)opcode, unique = 1, nodeid = node.Value });
        MemoryMarshal.Write(request.Span[sizeof(fuse_in_header)..], body);
    }

    private static void Offer(AttackedRing ring, params vring_desc[] chain)
    {
        for (int i = 0; i < chain.Length; i++)
        {
            ring.Put(i, chain[i]);
        }

        ring.Offer(0);
    }

    /// <summary>As QEMU does with the table once it has mapped it; returns what is in it.</summary>
    private byte[] AnnounceTable(VhostUserFrontend frontend)
    {
        using SafeFileHandle table = OpenTable();
        frontend.Tell(VhostUserRequest.AddMemReg, Region(RandomAccess.GetLength(table)), [(int)table.DangerousGetHandle()]);
        return ReadTable((int)RandomAccess.GetLength(table));
    }

    private static byte[] Region(long bytes)
    {
        vhost_user_single_mem_region message = new()
        {
            region = new vhost_user_mem_region
            {
                guest_address = WindowAddress,
                user_address = WindowAddress,
                size = (ulong)bytes,
            },
        };
        return MemoryMarshal.AsBytes(new ReadOnlySpan<vhost_user_single_mem_region>(in message)).ToArray();
    }

    /// <summary>Without the words that the daemon moves all the time.</summary>
    private byte[] ReadTable(int bytes)
    {
        using SafeFileHandle table = OpenTable();
        byte[] content = new byte[bytes];
        Assert.Equal(bytes, RandomAccess.Read(table, content, 0));
        content.AsSpan(320, 8).Clear();
        return content;
    }

    /// <summary>.NET would respect the daemon's lock.</summary>
    private SafeFileHandle OpenTable()
    {
        fixed (byte* path = Encoding.UTF8.GetBytes(bed.EvilSocket + ".table\0"))
        {
            int fd = LinuxException.Check(Libc.OpenAt(OpenFlags.AT_FDCWD, path, OpenFlags.O_RDWR), "opening the table");
            return new SafeFileHandle(fd, ownsHandle: true);
        }
    }
}
