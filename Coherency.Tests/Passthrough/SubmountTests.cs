using System.Text;
using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Host.Passthrough;
using Coherency.Host.Server;
using Xunit;

namespace Coherency.Tests.Passthrough;

/// <summary>Mounts in the shared directory, and shares without the privilege for file handles.</summary>
[Trait("Category", "Root")]
public sealed class SubmountTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

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

    [Fact]
    public void A_submount_that_nobody_uses_can_be_unmounted()
    {
        using TestShare share = new();
        using LoopFileSystem disk = new("mkfs.ext4 -q -F", Directory.CreateDirectory(share.Path("disk")).FullName);
        share.WriteFile("disk/file", "old");
        using TestGuest guest = new(share.Share.OpenSession());
        Entry root = guest.Lookup("disk");
        Entry file = guest.Lookup("disk/file");
        Assert.Equal(2 + 2, guest.List(root.Node, plus: false).Count);
        FileHandle handle = guest.Open(file.Node, OpenFlags.O_RDONLY);
        Assert.False(disk.TryUnmount());
        guest.Release(handle);
        Assert.True(SpinWait.SpinUntil(disk.TryUnmount, Patience));
        Assert.Equal(Errno.ESTALE, guest.Files.GetAttributes(file.Node, null, out _));
        Assert.False(guest.Lookup("disk").IsSubmount);

        // Its inodes are the same when it comes back, by name or not.
        disk.Mount();
        Assert.Equal(root.Node, guest.Lookup("disk").Node);
        Assert.Equal("old", guest.Read(guest.Open(file.Node, OpenFlags.O_RDONLY)));
    }

    /// <summary>Whatever was closed for want of use is opened again for whoever names an inode by its node id.</summary>
    [Fact]
    public void A_submount_that_was_let_go_is_used_again()
    {
        using TestShare share = new();
        using TemporaryMount mount = new(share.Path("mounted"), "tmpfs", "tmpfs");
        share.WriteFile("mounted/file", "inside");
        using TestGuest guest = new(share.Share.OpenSession());
        Entry file = guest.Lookup("mounted/file");
        for (int round = 0; round < 2; round++)
        {
            Assert.True(SpinWait.SpinUntil(() => DescriptorsBelow(share.Path("mounted")) == 0, Patience));
            FileHandle handle = guest.Open(file.Node, OpenFlags.O_RDONLY);
            Assert.Equal("inside", guest.Read(handle));
            guest.Release(handle);
        }

        Assert.Equal(file.Node, guest.Lookup("mounted/file").Node);
    }

    private static int DescriptorsBelow(string directory) => Directory.GetFiles("/proc/self/fd")
        .Count(fd => new FileInfo(fd).LinkTarget?.StartsWith(directory, StringComparison.Ordinal) == true);

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
        Assert.Throws<ShareException>(
            () => new PassthroughShare(share.Share.Options with { InodeFileHandles = InodeFileHandles.Mandatory }));
    }
}
