using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;
using Coherency.Guest;
using Coherency.Guest.Fuse;

namespace Coherency.Tests.Hostile;

/// <summary>Extensions of requests that lie: nothing is made then, and nothing outside of them is read.</summary>
public sealed unsafe class HostileLabelTests(HostileTestBed bed) : IClassFixture<HostileTestBed>
{
    private const int WordBytes = 8;

    private static readonly byte[] Right = LabelExtension.Of(("security.selinux"u8.ToArray(), "label"u8.ToArray()));

    /// <summary>Offsets in <see cref="Right"/>.</summary>
    private const int SizeAt = 0;
    private const int CountAt = 4;
    private const int ValueSizeAt = 8;
    private const int NameAt = 16;

    [Theory]
    [InlineData(SizeAt, 0u)]
    [InlineData(SizeAt, 7u)]
    [InlineData(SizeAt, 12u)]
    [InlineData(SizeAt, 4096u)]
    [InlineData(SizeAt, 0xFFFFFFF8u)]
    [InlineData(CountAt, 2u)]
    [InlineData(CountAt, 31u)]
    [InlineData(ValueSizeAt, 100u)]
    [InlineData(ValueSizeAt, 0x7FFFFFFFu)]
    [InlineData(ValueSizeAt, 0xFFFFFFFFu)]
    public void A_number_that_lies_makes_nothing(int at, uint lie)
    {
        byte[] extension = [.. Right];
        BinaryPrimitives.WriteUInt32LittleEndian(extension.AsSpan(at), lie);
        ExpectRefused(extension);
    }

    [Theory]
    [InlineData("")]
    [InlineData("user.name")]
    [InlineData("trusted.overlay.opaque")]
    [InlineData("trusted.coherency.attach")]
    [InlineData("system.posix_acl_access")]
    [InlineData("security.capability")]
    public void A_name_that_is_no_labels_makes_nothing(string name) =>
        ExpectRefused(LabelExtension.Of((System.Text.Encoding.UTF8.GetBytes(name), "label"u8.ToArray())));

    [Fact]
    public void A_name_that_is_too_long_or_has_no_end_makes_nothing()
    {
        ExpectRefused(LabelExtension.Of(([.. "security."u8, .. Enumerable.Repeat((byte)'x', 247)], "label"u8.ToArray())));
        byte[] endless = [.. Right];
        endless.AsSpan(NameAt).Fill((byte)'x');
        "security."u8.CopyTo(endless.AsSpan(NameAt));
        ExpectRefused(endless);
    }

    [Fact]
    public void Extensions_that_are_longer_than_what_came_make_nothing()
    {
        using VirtioFsGuest guest = bed.ConnectLabellingGuest();
        Assert.Equal(Errno.EINVAL, Send(guest, MkDir("long"), Right.Length + (1 << 16)));
        Assert.Equal(Errno.EINVAL, Send(guest, MkDir("long"), ushort.MaxValue * WordBytes));
        ExpectAbsent(guest, "long");
    }

    /// <summary>Cut anywhere, with and without a length in the header; a kernel before 6.3 gives none.</summary>
    [Fact]
    public void Extensions_that_are_cut_make_nothing()
    {
        using VirtioFsGuest guest = bed.ConnectLabellingGuest();
        for (int length = 1; length < Right.Length; length++)
        {
            byte[] cut = Right[..length];
            Assert.Equal(Errno.EINVAL, Send(guest, [.. MkDir("cut"), .. cut], 0));
            if (length % WordBytes == 0)
            {
                Assert.Equal(Errno.EINVAL, Send(guest, [.. MkDir("cut"), .. cut], length));
            }
        }

        ExpectAbsent(guest, "cut");
        Assert.Equal(Errno.None, Send(guest, [.. MkDir("whole"), .. Right], 0));
        Assert.Equal("label"u8, guest.Fuse.GetXattr(new NodeId(guest.Fuse.Lookup(NodeId.Root, "whole"u8).nodeid), "security.selinux"u8));
    }

    [Fact]
    public void Every_random_extension_is_taken_or_refused()
    {
        using VirtioFsGuest guest = bed.ConnectLabellingGuest();
        Random random = new(41);
        for (int i = 0; i < 10_000; i++)
        {
            byte[] extension = [.. Right, .. Right];
            for (int change = random.Next(1, 4); change > 0; change--)
            {
                extension[random.Next(extension.Length)] = (byte)random.Next(256);
            }

            Errno error = Send(guest, [.. MkDir($"random-{i}"), .. extension], random.Next(2) * extension.Length);
            Assert.True(error is Errno.None or Errno.EINVAL or Errno.EPERM or Errno.EOPNOTSUPP or Errno.ERANGE, $"answered {error}");
            Assert.Equal(error == Errno.None, Exists(guest, $"random-{i}"));
        }

        bed.ExpectHonestGuestWorks();
    }

    private void ExpectRefused(byte[] extension)
    {
        using VirtioFsGuest guest = bed.ConnectLabellingGuest();
        Assert.Equal(Errno.EINVAL, Send(guest, [.. MkDir("refused"), .. extension], extension.Length));
        Assert.Equal(Errno.EINVAL, Send(guest, [.. MkDir("refused"), .. extension], 0));
        ExpectAbsent(guest, "refused");
        bed.ExpectHonestGuestWorks();
    }

    private static void ExpectAbsent(VirtioFsGuest guest, string name) => Assert.False(Exists(guest, name));

    private static bool Exists(VirtioFsGuest guest, string name)
    {
        try
        {
            return guest.Fuse.Lookup(NodeId.Root, System.Text.Encoding.UTF8.GetBytes(name)).nodeid != 0;
        }
        catch (FuseException absent) when (absent.Errno == Errno.ENOENT)
        {
            return false;
        }
    }

    private static byte[] MkDir(string name) => [.. new byte[sizeof(fuse_mkdir_in)], .. System.Text.Encoding.UTF8.GetBytes(name), 0];

    /// <param name="extensionBytes">As the header says.</param>
    private static Errno Send(VirtioFsGuest guest, byte[] arguments, int extensionBytes)
    {
        using Exchange exchange = guest.Fuse.Begin(FuseOpcode.MkDir, NodeId.Root);
        exchange.Slot.BeginRaw();
        fuse_in_header header = new()
        {
            len = (uint)(sizeof(fuse_in_header) + arguments.Length),
            opcode = (uint)FuseOpcode.MkDir,
            unique = 77,
            nodeid = NodeId.Root.Value,
            total_extlen = (ushort)(extensionBytes / WordBytes),
        };
        exchange.Slot.AppendReadable(MemoryMarshal.AsBytes(new ReadOnlySpan<fuse_in_header>(in header)));
        exchange.Slot.AppendReadable(arguments);
        exchange.Slot.AppendWritable(1024);
        return exchange.Send();
    }
}
