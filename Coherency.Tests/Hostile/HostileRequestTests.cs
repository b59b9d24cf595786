using System.Runtime.InteropServices;
using System.Text;
using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;
using Coherency.Guest;
using Coherency.Guest.Fuse;
using Xunit;

namespace Coherency.Tests.Hostile;

/// <summary>A guest whose kernel sends what no kernel sends.</summary>
public sealed unsafe class HostileRequestTests(HostileTestBed bed) : IClassFixture<HostileTestBed>
{
    private static readonly NodeId NeverGiven = new(0xDEAD_BEEF_0BAD_CAFE);
    private static readonly FileHandle NeverOpened = new(0x1234_5678_9ABC_DEF0);

    [Theory]
    [InlineData(-1)]
    [InlineData(1)]
    [InlineData(-40)]
    [InlineData(int.MaxValue)]
    public void A_header_length_that_lies_is_refused(int lie)
    {
        bed.Log.Clear();
        using VirtioFsGuest guest = bed.ConnectGuest();
        Assert.Equal(Errno.EINVAL, Send(guest, FuseOpcode.GetAttr, NodeId.Root, new byte[sizeof(fuse_getattr_in)], lie));
        bed.ExpectLogged("bytes, 56 came");
        bed.ExpectHonestGuestWorks();
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(7u)]
    [InlineData(19u)]
    [InlineData((uint)FuseOpcode.CopyFileRange64 + 1)]
    [InlineData(4096u)]
    [InlineData(uint.MaxValue)]
    public void An_opcode_that_does_not_exist_is_refused(uint opcode)
    {
        bed.Log.Clear();
        using VirtioFsGuest guest = bed.ConnectGuest();
        Assert.Equal(Errno.ENOSYS, Send(guest, (FuseOpcode)opcode, NodeId.Root, []));
        bed.ExpectLogged($"opcode {opcode} is not one");
    }

    [Fact]
    public void Every_operation_survives_arguments_cut_at_every_length()
    {
        using VirtioFsGuest guest = bed.ConnectGuest();
        byte[] arguments = new byte[128];
        foreach (FuseOpcode opcode in Enum.GetValues<FuseOpcode>().Where(HasReplyAndNoState))
        {
            for (int length = 0; length <= arguments.Length; length += 4)
            {
                Errno error = Send(guest, opcode, NodeId.Root, arguments.AsSpan(0, length));
                Assert.True(Enum.IsDefined(error), $"{opcode} with {length} bytes answered {(int)error}");
            }
        }

        bed.ExpectHonestGuestWorks();
    }

    [Fact]
    public void Every_operation_survives_random_arguments()
    {
        using VirtioFsGuest guest = bed.ConnectGuest();
        Random random = new(7);
        byte[] arguments = new byte[256];
        FuseOpcode[] opcodes = [.. Enum.GetValues<FuseOpcode>().Where(HasReplyAndNoState)];
        for (int i = 0; i < 20_000; i++)
        {
            random.NextBytes(arguments);
            NodeId node = random.Next(2) == 0 ? NodeId.Root : new NodeId((ulong)random.NextInt64());
            Errno error = Send(guest, opcodes[random.Next(opcodes.Length)], node, arguments.AsSpan(0, random.Next(arguments.Length)));
            Assert.True(Enum.IsDefined(error), $"answered {(int)error}");
        }

        bed.ExpectHonestGuestWorks();
    }

    /// <summary>Handle 0, on nodes of every kind, held or not.</summary>
    [Fact]
    public void Every_operation_by_node_survives_random_arguments()
    {
        using VirtioFsGuest guest = bed.ConnectGuestWithoutOpens();
        guest.Files.WriteAllBytes("/victim", "victim"u8);
        guest.Files.CreateDirectory("/victims");
        NodeId[] nodes =
        [
            NodeId.Root, new(guest.Fuse.Lookup(NodeId.Root, "victim"u8).nodeid), new(guest.Fuse.Lookup(NodeId.Root, "victims"u8).nodeid),
            NeverGiven, default,
        ];
        Random random = new(8);
        byte[] arguments = new byte[256];
        // A lock that is waited for is not answered, and that is right.
        FuseOpcode[] opcodes = [.. Enum.GetValues<FuseOpcode>().Where(opcode => HasReplyAndNoState(opcode) && opcode != FuseOpcode.SetLkw)];
        for (int i = 0; i < 20_000; i++)
        {
            random.NextBytes(arguments);
            arguments.AsSpan(0, sizeof(ulong)).Clear();
            Errno error = Send(
                guest,
                opcodes[random.Next(opcodes.Length)],
                nodes[random.Next(nodes.Length)],
                arguments.AsSpan(0, random.Next(arguments.Length)));
            Assert.True(Enum.IsDefined(error), $"answered {(int)error}");
        }

        bed.ExpectHonestGuestWorks();
    }

    [Fact]
    public void Nodes_never_given_out_are_stale_by_node_too()
    {
        using VirtioFsGuest guest = bed.ConnectGuestWithoutOpens();
        byte[] zeros = new byte[128];
        byte[] exclusive = new byte[sizeof(fuse_lk_in)];
        MemoryMarshal.Write(exclusive, new fuse_lk_in { lk = new fuse_file_lock { end = long.MaxValue, type = (uint)LockFlags.F_WRLCK } });
        foreach (NodeId node in (NodeId[])[NeverGiven, default])
        {
            Expect<fuse_read_in>(FuseOpcode.Read, FuseOpcode.ReadDir, FuseOpcode.ReadDirPlus);
            Expect<fuse_write_in>(FuseOpcode.Write);
            Expect<fuse_fsync_in>(FuseOpcode.Fsync, FuseOpcode.FsyncDir);
            Expect<fuse_fallocate_in>(FuseOpcode.Fallocate);
            Expect<fuse_lseek_in>(FuseOpcode.LSeek);
            Expect<fuse_copy_file_range_in>(FuseOpcode.CopyFileRange, FuseOpcode.CopyFileRange64);
            Expect<fuse_getattr_in>(FuseOpcode.GetAttr);
            Expect<fuse_setattr_in>(FuseOpcode.SetAttr);
            Assert.All(
                [FuseOpcode.GetLk, FuseOpcode.SetLk, FuseOpcode.SetLkw],
                opcode => Assert.Equal(Errno.ESTALE, Send(guest, opcode, node, exclusive)));

            void Expect<T>(params FuseOpcode[] opcodes)
                where T : unmanaged =>
                Assert.All(opcodes, opcode => Assert.Equal(Errno.ESTALE, Send(guest, opcode, node, zeros.AsSpan(0, sizeof(T)))));
        }

        bed.ExpectHonestGuestWorks();
    }

    [Theory]
    [InlineData("a/b", Errno.EINVAL)]
    [InlineData("/etc", Errno.EINVAL)]
    [InlineData("..", Errno.EINVAL)]
    [InlineData(".", Errno.EINVAL)]
    [InlineData("", Errno.EINVAL)]
    [InlineData("../..", Errno.EINVAL)]
    public void A_name_that_leaves_its_directory_is_refused(string name, Errno expected)
    {
        using VirtioFsGuest guest = bed.ConnectGuest();
        byte[] terminated = Encoding.UTF8.GetBytes(name + '\0');
        foreach (FuseOpcode opcode in (FuseOpcode[])[FuseOpcode.Unlink, FuseOpcode.RmDir])
        {
            Assert.Equal(expected, Send(guest, opcode, NodeId.Root, terminated));
        }

        // By these two, servers of files look up what they have a handle of; nothing is above the root.
        if (name is "." or "..")
        {
            Assert.Equal(NodeId.Root.Value, guest.Fuse.Lookup(NodeId.Root, Encoding.UTF8.GetBytes(name)).nodeid);
        }
        else
        {
            Assert.Equal(expected, Send(guest, FuseOpcode.Lookup, NodeId.Root, terminated));
        }

        Assert.Equal(expected, Send(guest, FuseOpcode.Symlink, NodeId.Root, [.. terminated, .. "target\0"u8]));
        Assert.Equal(expected, Send(guest, FuseOpcode.MkDir, NodeId.Root, [.. new byte[sizeof(fuse_mkdir_in)], .. terminated]));
        Assert.Equal(expected, Send(guest, FuseOpcode.MkNod, NodeId.Root, [.. new byte[sizeof(fuse_mknod_in)], .. terminated]));
        Assert.Equal(expected, Send(guest, FuseOpcode.Create, NodeId.Root, [.. new byte[sizeof(fuse_create_in)], .. terminated]));
        byte[] root = BitConverter.GetBytes(NodeId.Root.Value);
        Assert.Equal(expected, Send(guest, FuseOpcode.Link, NodeId.Root, [.. root, .. terminated]));
        Assert.Equal(expected, Send(guest, FuseOpcode.Rename, NodeId.Root, [.. root, .. terminated, .. "x\0"u8]));
        Assert.Equal(expected, Send(guest, FuseOpcode.Rename, NodeId.Root, [.. root, .. "file\0"u8, .. terminated]));
        bed.ExpectHonestGuestWorks();
    }

    [Fact]
    public void A_name_without_an_end_is_refused()
    {
        using VirtioFsGuest guest = bed.ConnectGuest();
        Assert.Equal(Errno.EINVAL, Send(guest, FuseOpcode.Lookup, NodeId.Root, "file"u8));
        Assert.Equal(Errno.ENAMETOOLONG, Send(guest, FuseOpcode.Lookup, NodeId.Root, [.. Enumerable.Repeat((byte)'x', 256), 0]));
    }

    [Fact]
    public void Nodes_never_given_out_are_stale()
    {
        using VirtioFsGuest guest = bed.ConnectGuest();
        Assert.Equal(Errno.ESTALE, Send(guest, FuseOpcode.GetAttr, NeverGiven, new byte[sizeof(fuse_getattr_in)]));
        Assert.Equal(Errno.ESTALE, Send(guest, FuseOpcode.Lookup, NeverGiven, "file\0"u8));
        Assert.Equal(Errno.ESTALE, Send(guest, FuseOpcode.Open, NeverGiven, new byte[sizeof(fuse_open_in)]));
        Assert.Equal(Errno.ESTALE, Send(guest, FuseOpcode.GetAttr, new NodeId(0), new byte[sizeof(fuse_getattr_in)]));
    }

    [Fact]
    public void Nodes_given_to_another_guest_are_stale()
    {
        using VirtioFsGuest guest = bed.ConnectGuest();
        NodeId node = new(guest.Fuse.Lookup(NodeId.Root, "file"u8).nodeid);
        guest.Fuse.Forget(node, 1);
        guest.Fuse.DrainForgets();
        Assert.Equal(Errno.ESTALE, Send(guest, FuseOpcode.GetAttr, node, new byte[sizeof(fuse_getattr_in)]));
        bed.ExpectHonestGuestWorks();
    }

    [Fact]
    public void Handles_never_given_out_are_bad()
    {
        using VirtioFsGuest guest = bed.ConnectGuest();
        byte[] read = new byte[sizeof(fuse_read_in)];
        MemoryMarshal.Write(read, new fuse_read_in { fh = NeverOpened.Value, size = 4096 });
        foreach (FuseOpcode opcode in (FuseOpcode[])[FuseOpcode.Read, FuseOpcode.ReadDir, FuseOpcode.ReadDirPlus])
        {
            Assert.Equal(Errno.EBADF, Send(guest, opcode, NodeId.Root, read));
        }
    }

    [Fact]
    public void Forgets_beyond_the_count_do_no_harm()
    {
        using VirtioFsGuest guest = bed.ConnectGuest();
        NodeId node = new(guest.Fuse.Lookup(NodeId.Root, "file"u8).nodeid);
        guest.Fuse.Forget(node, ulong.MaxValue);
        guest.Fuse.Forget(node, ulong.MaxValue);
        guest.Fuse.Forget(NodeId.Root, ulong.MaxValue);
        guest.Fuse.Forget(NeverGiven, 1);
        guest.Fuse.DrainForgets();
        Assert.Equal("content"u8, guest.Files.ReadAllBytes("/file"));
        bed.ExpectHonestGuestWorks();
    }

    [Fact]
    public void Requests_before_init_are_refused()
    {
        using Coherency.Guest.VhostUser.VhostUserFrontend frontend = bed.Connect(new() { MemoryBytes = 256 << 20 });
        frontend.Start();
        using FuseConnection connection = FuseConnection.OpenWithoutInit(frontend);
        using Exchange exchange = connection.Begin(FuseOpcode.GetAttr, NodeId.Root, CallerIdentity.Root);
        exchange.Slot.Argument(default(fuse_getattr_in));
        exchange.Slot.ExpectReply<fuse_attr_out>();
        Assert.Equal(Errno.EIO, exchange.Send());
    }

    private static bool HasReplyAndNoState(FuseOpcode opcode) =>
        opcode is not (FuseOpcode.Forget or FuseOpcode.BatchForget or FuseOpcode.Interrupt or FuseOpcode.Init or FuseOpcode.Destroy);

    private static Errno Send(VirtioFsGuest guest, FuseOpcode opcode, NodeId node, ReadOnlySpan<byte> arguments, int lie = 0)
    {
        using Exchange exchange = guest.Fuse.Begin(FuseOpcode.GetAttr, node);
        exchange.Slot.BeginRaw();
        fuse_in_header header = new()
        {
            len = (uint)(sizeof(fuse_in_header) + arguments.Length + lie),
            opcode = (uint)opcode,
            unique = 77,
            nodeid = node.Value,
        };
        exchange.Slot.AppendReadable(MemoryMarshal.AsBytes(new ReadOnlySpan<fuse_in_header>(in header)));
        if (!arguments.IsEmpty)
        {
            exchange.Slot.AppendReadable(arguments);
        }

        exchange.Slot.AppendWritable(1024);
        return exchange.Send();
    }
}
