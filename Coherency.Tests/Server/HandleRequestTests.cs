using System.Buffers.Binary;
using System.Text;
using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;
using Coherency.Guest;
using Coherency.Guest.Fuse;
using Coherency.Tests.Hostile;
using Xunit;

namespace Coherency.Tests.Server;

/// <summary>How a client asks for inodes without a name, on the wire.</summary>
public sealed class HandleRequestTests : IDisposable
{
    private readonly HostileTestBed _bed = new();

    public void Dispose() => _bed.Dispose();

    [Fact]
    public void A_dot_means_the_inode_and_two_what_it_is_in()
    {
        using VirtioFsGuest guest = _bed.ConnectGuest();
        Assert.True(guest.Fuse.Connection.Flags.HasFlag(FuseInitFlags.ExportSupport));
        NodeId made = new(guest.Fuse.MkDir(NodeId.Root, "directory"u8, 0x1ED).nodeid);
        Assert.Equal(made.Value, guest.Fuse.Lookup(made, "."u8).nodeid);
        Assert.Equal(NodeId.Root.Value, guest.Fuse.Lookup(made, ".."u8).nodeid);
        Assert.Equal(NodeId.Root.Value, guest.Fuse.Lookup(NodeId.Root, ".."u8).nodeid);
        guest.Fuse.Forget(made, 1);
        guest.Fuse.DrainForgets();
        Assert.Equal(made.Value, guest.Fuse.Lookup(made, "."u8).nodeid);
        guest.Fuse.Forget(made, 2);
        guest.Fuse.DrainForgets();
        Expect(Errno.ESTALE, () => guest.Fuse.Lookup(made, "."u8));
        Expect(Errno.EINVAL, () => guest.Fuse.MkDir(NodeId.Root, ".."u8, 0x1ED));
        Expect(Errno.EINVAL, () => guest.Fuse.RmDir(NodeId.Root, "."u8));
    }

    [Fact]
    public void A_handle_brings_a_forgotten_inode_back()
    {
        using VirtioFsGuest guest = _bed.ConnectGuestWithoutOpens();
        NodeId file = new(guest.Fuse.Lookup(NodeId.Root, "file"u8).nodeid);
        byte[] handle = guest.Fuse.GetXattr(file, "trusted.coherency.handle"u8);
        Assert.Equal(handle.Length, guest.Fuse.GetXattrLength(file, "trusted.coherency.handle"u8));
        guest.Fuse.Forget(file, 1);
        guest.Fuse.DrainForgets();
        Assert.Equal(sizeof(ulong), guest.Fuse.GetXattrLength(NodeId.Root, NameOf(handle)));
        Expect(Errno.ESTALE, () => guest.Fuse.Lookup(file, "."u8));
        Assert.Equal(file.Value, BinaryPrimitives.ReadUInt64LittleEndian(guest.Fuse.GetXattr(NodeId.Root, NameOf(handle))));
        Assert.Equal(file.Value, guest.Fuse.Lookup(file, "."u8).nodeid);
    }

    [Fact]
    public void To_a_client_that_does_not_consult_the_table_there_are_no_handles()
    {
        using VirtioFsGuest guest = _bed.ConnectGuest();
        Expect(Errno.ENODATA, () => guest.Fuse.GetXattr(NodeId.Root, "trusted.coherency.handle"u8));
        Expect(Errno.ENODATA, () => guest.Fuse.GetXattr(NodeId.Root, "trusted.coherency.handle.00"u8));
    }

    [Theory]
    [InlineData("")]
    [InlineData("0")]
    [InlineData("zz")]
    [InlineData("00")]
    [InlineData("000000000000000000000000ffffffff")]
    public void Nonsense_in_the_place_of_a_handle_is_stale(string digits)
    {
        using VirtioFsGuest guest = _bed.ConnectGuestWithoutOpens();
        byte[] name = Encoding.ASCII.GetBytes($"trusted.coherency.handle.{digits}");
        Expect(Errno.ESTALE, () => guest.Fuse.GetXattr(NodeId.Root, name));
        Expect(Errno.ESTALE, () => guest.Fuse.GetXattr(new NodeId(0xDEAD_BEEF), name));
        Expect(Errno.ERANGE, () => guest.Fuse.GetXattr(NodeId.Root, name, 7));
        _bed.ExpectHonestGuestWorks();
    }

    [Fact]
    public void A_handle_that_is_as_long_as_a_name_can_be_is_stale()
    {
        using VirtioFsGuest guest = _bed.ConnectGuestWithoutOpens();
        byte[] name = Encoding.ASCII.GetBytes("trusted.coherency.handle.".PadRight(FuseLimits.XattrNameBytesMax, '0'));
        Expect(Errno.ESTALE, () => guest.Fuse.GetXattr(NodeId.Root, name));
        Expect(Errno.ENODATA, () => guest.Fuse.GetXattr(NodeId.Root, "trusted.coherency.handles"u8));
    }

    private static byte[] NameOf(byte[] handle) => Encoding.ASCII.GetBytes("trusted.coherency.handle." + Convert.ToHexStringLower(handle));

    private static void Expect(Errno errno, Action request) => Assert.Equal(errno, Assert.Throws<FuseException>(request).Errno);
}
