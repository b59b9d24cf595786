using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Host.Passthrough;
using Coherency.Host.Server;
using Xunit;

namespace Coherency.Tests.Passthrough;

/// <summary>Who owns what guests make, and with which mode. As root only: switching ids is root's.</summary>
[Trait("Category", "Root")]
public sealed class CredentialTests
{
    private const uint Mode777 = 0x1FF;

    [Fact]
    public void What_is_made_belongs_to_the_caller()
    {
        using TestShare share = new();
        TestGuest guest = share.OpenGuest();
        Caller caller = new(1000, 1001, 1, null, 0x12); // umask 022
        Entry file = guest.Create(NodeId.Root, "file", caller, Mode777).Entry;
        Assert.Equal((1000u, 1001u, 0x1EDu), Owner(file));
        TestGuest.Expect(guest.TryMakeDirectory(NodeId.Root, "directory", out Entry directory, caller, Mode777));
        Assert.Equal((1000u, 1001u, 0x1EDu), Owner(directory));
        TestGuest.Expect(guest.TrySymlink(NodeId.Root, "link", "x", out Entry link, caller));
        Assert.Equal((1000u, 1001u, Mode777), Owner(link));
        TestGuest.Expect(guest.TryMakeNode(NodeId.Root, "fifo", StatFlags.S_IFIFO | Mode777, 0, out Entry fifo, caller));
        Assert.Equal((1000u, 1001u, 0x1EDu), Owner(fifo));
        TestGuest.Expect(guest.Files.CreateTemporary(caller, NodeId.Root, OpenFlags.O_RDWR, Mode777, out Entry temporary, out _));
        Assert.Equal((1000u, 1001u, 0x1EDu), Owner(temporary));
        // The thread is itself again, and the next caller's umask is the next caller's.
        Entry mine = guest.Create(NodeId.Root, "mine", mode: Mode777).Entry;
        Assert.Equal((0u, 0u, Mode777), Owner(mine));
        Assert.True(ThreadCredentials.HasCapability(ProcessFlags.CAP_DAC_READ_SEARCH));
    }

    [Fact]
    public void A_device_node_is_not_made_by_an_ordinary_user()
    {
        using TestShare share = new();
        TestGuest guest = share.OpenGuest();
        Caller caller = new(1000, 1000, 1, null, 0);
        Assert.Equal(Errno.EPERM, guest.TryMakeNode(NodeId.Root, "null", StatFlags.S_IFCHR | Mode777, 0x103, out _, caller));
        TestGuest.Expect(guest.TryMakeNode(NodeId.Root, "null", StatFlags.S_IFCHR | Mode777, 0x103, out Entry node));
        Assert.Equal(Errno.ENXIO, guest.TryOpen(node.Node, OpenFlags.O_RDWR, out _));
    }

    [Fact]
    public void An_id_that_cannot_be_assumed_makes_nothing()
    {
        using TestShare share = new();
        TestGuest guest = share.OpenGuest();
        Caller nobody = new(uint.MaxValue, 0, 1, null, 0);
        Assert.Equal(Errno.EOVERFLOW, guest.TryCreate(NodeId.Root, "file", OpenFlags.O_RDWR, out _, out _, nobody));
        Assert.Equal(Errno.EOVERFLOW, guest.TryMakeDirectory(NodeId.Root, "d", out _, new Caller(0, uint.MaxValue, 1, null, 0)));
        Assert.Empty(Directory.GetFileSystemEntries(share.Directory));
        Assert.Equal((0u, 0u, 0x1A4u), Owner(guest.Create(NodeId.Root, "file").Entry));
    }

    /// <summary>A set-group-id directory gives its group; the set-group-id bit stays on a file only for a member of it.</summary>
    [Fact]
    public void The_supplementary_group_decides_over_the_set_group_id_bit()
    {
        using TestShare share = new();
        TestGuest guest = share.OpenGuest();
        TestGuest.Expect(guest.TryMakeDirectory(NodeId.Root, "shared", out Entry directory));
        AttributeChange change = new() { Valid = FuseSetAttrValid.Gid, Gid = 5000 };
        TestGuest.Expect(guest.TrySetAttributes(directory.Node, change, out _));
        change = new AttributeChange { Valid = FuseSetAttrValid.Mode, Mode = StatFlags.S_ISGID | Mode777 };
        TestGuest.Expect(guest.TrySetAttributes(directory.Node, change, out _));

        const uint mode = StatFlags.S_ISGID | 0x1F8; // 2770
        Entry member = guest.Create(directory.Node, "member", new Caller(1000, 1000, 1, 5000, 0), mode).Entry;
        Entry stranger = guest.Create(directory.Node, "stranger", new Caller(1000, 1000, 1, null, 0), mode).Entry;
        Assert.Equal((1000u, 5000u, mode), Owner(member));
        Assert.Equal((1000u, 5000u, 0x1F8u), Owner(stranger));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Writing_clears_set_id_bits_when_asked(bool asked)
    {
        using TestShare share = new();
        TestGuest guest = share.OpenGuest();
        (Entry entry, FileHandle handle) = guest.Create(NodeId.Root, "file");
        AttributeChange change = new() { Valid = FuseSetAttrValid.Mode, Mode = StatFlags.S_ISUID | Mode777 };
        TestGuest.Expect(guest.TrySetAttributes(entry.Node, change, out _));
        TestGuest.Expect(guest.TryWrite(handle, "x", 0, asked ? FuseWriteFlags.KillSuidgid : FuseWriteFlags.None));
        Assert.Equal(asked ? 0 : StatFlags.S_ISUID, guest.Stat(entry.Node).stx_mode & StatFlags.S_ISUID);

        TestGuest.Expect(guest.TrySetAttributes(entry.Node, change, out _));
        change = new AttributeChange { Valid = FuseSetAttrValid.Size | (asked ? FuseSetAttrValid.KillSuidgid : 0) };
        TestGuest.Expect(guest.TrySetAttributes(entry.Node, change, out statx after));
        Assert.Equal(asked ? 0 : StatFlags.S_ISUID, after.stx_mode & StatFlags.S_ISUID);
        Assert.True(ThreadCredentials.HasCapability(ProcessFlags.CAP_FSETID));
    }

    private static (uint Uid, uint Gid, uint Mode) Owner(in Entry entry) =>
        (entry.Attributes.stx_uid, entry.Attributes.stx_gid, entry.Attributes.stx_mode & 0xFFFu);
}
