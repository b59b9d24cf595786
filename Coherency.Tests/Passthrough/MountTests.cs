using System.Text;
using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Host.Passthrough;
using Coherency.Host.Server;
using Xunit;

namespace Coherency.Tests.Passthrough;

/// <summary>Mounts in the shared directory, and shares without the privilege for file handles.</summary>
public sealed class MountTests
{
    [Theory]
    [InlineData(true, InodeFileHandles.Mandatory)]
    [InlineData(false, InodeFileHandles.Mandatory)]
    [InlineData(true, InodeFileHandles.Never)]
    public void Another_mount_is_entered_and_announced(bool announce, InodeFileHandles handles)
    {
        using TestShare share = new(o => o with { AnnounceSubmounts = announce, InodeFileHandles = handles });
        using TemporaryMount mount = new(share.Path("mounted"), "tmpfs", "tmpfs");
        Directory.CreateDirectory(share.Path("plain"));
        File.WriteAllText(share.Path("mounted/file"), "inside");
        using TestGuest guest = new(share.Share.OpenSession());
        Assert.Equal(announce, guest.Lookup("mounted").IsSubmount);
        Assert.False(guest.Lookup("plain").IsSubmount);
        Entry inside = guest.Lookup("mounted/file");
        Assert.False(inside.IsSubmount);
        Assert.Equal("inside", guest.Read(guest.Open(inside.Node, OpenFlags.O_RDONLY)));
        Assert.Equal(Errno.EXDEV, guest.TryRename(guest.Lookup("mounted").Node, "file", NodeId.Root, "file"));
        Assert.Equal(Errno.EBUSY, guest.TryRemoveDirectory(NodeId.Root, "mounted"));
        TestGuest.Expect(guest.Files.SyncFileSystem(inside.Node));
    }

    /// <summary>Two ways to the same inode are two inodes to guests, of which the second may not be cached.</summary>
    [Fact]
    public void An_inode_seen_through_two_mounts_is_never_stale()
    {
        using TestShare share = new();
        Directory.CreateDirectory(share.Path("original"));
        File.WriteAllText(share.Path("original/file"), "same");
        using TemporaryMount mount = new(share.Path("bound"), share.Path("original"), null);
        using TestGuest guest = new(share.Share.OpenSession());
        Entry original = guest.Lookup("original/file");
        Entry bound = guest.Lookup("bound/file");
        Assert.Equal(original.Attributes.stx_ino, bound.Attributes.stx_ino);
        Assert.NotEqual(original.Node, bound.Node);
        Assert.True(!original.Node.IsDisplaced && bound.Node.IsDisplaced);
    }

    /// <summary>procfs gives no handles that open anything: its inodes are kept by descriptor beside others by handle.</summary>
    [Fact]
    public void A_mount_without_handles_is_entered_when_they_are_only_preferred()
    {
        using TestShare preferred = new();
        using TemporaryMount mount = new(preferred.Path("proc"), "proc", "proc");
        using TestGuest guest = new(preferred.Share.OpenSession());
        Assert.True(preferred.Share.UsesFileHandles);
        Entry version = guest.Lookup("proc/version");
        Assert.Contains("Linux", guest.Read(guest.Open(version.Node, OpenFlags.O_RDONLY)), StringComparison.Ordinal);
        Assert.Equal(version.Node, guest.Lookup("proc/version").Node);

        using PassthroughShare mandatory = new(preferred.Share.Options with { InodeFileHandles = InodeFileHandles.Mandatory });
        using TestGuest strict = new(mandatory.OpenSession());
        Assert.Equal(Errno.EOPNOTSUPP, strict.TryLookup(NodeId.Root, "proc", out _));
        Assert.Contains(strict.List(NodeId.Root), entry => entry.Name == "proc");
    }

    [Fact]
    public void Without_the_capability_a_share_falls_back_to_descriptors()
    {
        Exception? failure = null;
        Thread unprivileged = new(() => failure = Record.Exception(ServeWithoutCapability));
        unprivileged.Start();
        unprivileged.Join();
        Assert.Null(failure);
    }

    private static void ServeWithoutCapability()
    {
        // Capabilities are a thread's own, and this thread ends here.
        Libc.GetCapabilities(out ulong effective, out ulong permitted, out ulong inheritable);
        Libc.SetCapabilities(effective & ~(1UL << ProcessFlags.CAP_DAC_READ_SEARCH), permitted, inheritable);
        using TestShare share = new();
        Assert.False(share.Share.UsesFileHandles);
        TestGuest guest = share.OpenGuest();
        (Entry entry, FileHandle handle) = guest.Create(NodeId.Root, "file");
        TestGuest.Expect(guest.TryWrite(handle, "text", 0));
        TestGuest.Expect(guest.TryLink(entry.Node, NodeId.Root, "other", out Entry linked));
        Assert.Equal(entry.Node, linked.Node);
        Assert.Equal(entry.Node, guest.Lookup("other").Node);
        Assert.Throws<ShareException>(() => new PassthroughShare(share.Share.Options with { InodeFileHandles = InodeFileHandles.Mandatory }));
    }
}
