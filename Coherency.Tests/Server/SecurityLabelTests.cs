using System.Text;
using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Daemon.Configuration;
using Coherency.Daemon.Hosting;
using Coherency.Guest;
using Coherency.Guest.Fuse;
using Microsoft.Extensions.Logging.Abstractions;

namespace Coherency.Tests.Server;

/// <summary>What a guest makes has the security label that its kernel says, from the beginning, or is not made.</summary>
[Trait("Category", "Root")]
public sealed class SecurityLabelTests : IDisposable
{
    private static readonly FuseConnectionOptions Labelling = new()
    {
        Flags = new FuseConnectionOptions().Flags | FuseInitFlags.SecurityCtx,
    };

    /// <summary>Bytes of an attribute that does not fit into the block that ext4 has for them all.</summary>
    private const int TooLarge = 8000;

    private readonly DirectoryInfo _work = Directory.CreateTempSubdirectory("coherency-labels-");
    private GuestServer? _server;

    private string Share => Path.Combine(_work.FullName, "share");

    public void Dispose()
    {
        _server?.Dispose();
        _work.Delete(recursive: true);
    }

    [Theory]
    [InlineData(null, "security.selinux")]
    [InlineData(":map:security.selinux:trusted.virtiofs.:", "trusted.virtiofs.security.selinux")]
    public void Everything_new_has_its_label(string? map, string nameOnHost)
    {
        using VirtioFsGuest guest = Connect(share => share with { Xattrmap = map });
        Assert.True(guest.Connection.Flags.HasFlag(FuseInitFlags.SecurityCtx));
        FuseClient fuse = Labelled(guest, "security.selinux", "label");
        fuse.Create(NodeId.Root, "file"u8, OpenFlags.O_RDWR, 0x180);
        fuse.MkDir(NodeId.Root, "directory"u8, 0x1C0);
        fuse.MkNod(NodeId.Root, "fifo"u8, StatFlags.S_IFIFO | 0x180);
        fuse.Symlink(NodeId.Root, "symlink"u8, "target"u8);
        foreach (string name in (string[])["file", "directory", "fifo", "symlink"])
        {
            Assert.Equal("label", LabelOf(name, nameOnHost));
        }

        // Whatever made the file, its label is asked for by the guest's own name.
        CreatedFile temporary = fuse.TmpFile(NodeId.Root, OpenFlags.O_RDWR, 0x180);
        Assert.Equal("label"u8, fuse.GetXattr(temporary.Node, "security.selinux"u8));
        // A file that is there keeps its own.
        Labelled(guest, "security.selinux", "other").Create(NodeId.Root, "file"u8, OpenFlags.O_RDWR, 0x180);
        Assert.Equal("label", LabelOf("file", nameOnHost));
    }

    [Fact]
    public void Several_labels_and_a_group_can_come_together()
    {
        using VirtioFsGuest guest = Connect(share => share);
        byte[] labels = LabelExtension.Of(
            ("security.a"u8.ToArray(), "first"u8.ToArray()), ("security.bb"u8.ToArray(), "second one"u8.ToArray()));
        FuseClient fuse = guest.Fuse.As(new CallerIdentity(0, 0, SupplementaryGroup: 77, Labels: labels));
        fuse.MkDir(NodeId.Root, "directory"u8, 0x1C0);
        Assert.Equal(("first", "second one"), (LabelOf("directory", "security.a"), LabelOf("directory", "security.bb")));
    }

    /// <summary>user.* is not for symbolic links, fifos and devices: xattr(7).</summary>
    [Fact]
    public void What_cannot_have_its_label_is_removed_again()
    {
        using VirtioFsGuest guest = Connect(share => share with { Xattrmap = ":map:security.selinux:user.virtiofs.:" });
        FuseClient fuse = Labelled(guest, "security.selinux", "label");
        ExpectRefused(Errno.EPERM, () => fuse.Symlink(NodeId.Root, "symlink"u8, "target"u8));
        ExpectRefused(Errno.EPERM, () => fuse.MkNod(NodeId.Root, "fifo"u8, StatFlags.S_IFIFO | 0x180));
        FuseClient tooLarge = Labelled(guest, "security.selinux", new string('x', TooLarge));
        string[] before = Directory.GetFileSystemEntries(Share);
        foreach (Action make in (Action[])
        [
            () => tooLarge.Create(NodeId.Root, "file"u8, OpenFlags.O_RDWR, 0x180),
            () => tooLarge.MkDir(NodeId.Root, "directory"u8, 0x1C0),
            () => tooLarge.TmpFile(NodeId.Root, OpenFlags.O_RDWR, 0x180),
        ])
        {
            ExpectRefused(Errno.ENOSPC, make);
        }

        Assert.Equal(before, Directory.GetFileSystemEntries(Share));
        fuse.Create(NodeId.Root, "file"u8, OpenFlags.O_RDWR, 0x180);
        Assert.Equal("label", LabelOf("file", "user.virtiofs.security.selinux"));
    }

    [Theory]
    [InlineData(":bad:all:security.:::ok:all:::", Errno.EPERM)]
    [InlineData(":unsupported:all:security.:::ok:all:::", Errno.EOPNOTSUPP)]
    public void A_label_that_rules_do_not_allow_makes_nothing(string map, Errno expected)
    {
        using VirtioFsGuest guest = Connect(share => share with { Xattrmap = map });
        FuseClient fuse = Labelled(guest, "security.selinux", "label");
        ExpectRefused(expected, () => fuse.Create(NodeId.Root, "file"u8, OpenFlags.O_RDWR, 0x180));
        ExpectRefused(expected, () => fuse.MkDir(NodeId.Root, "directory"u8, 0x1C0));
        Assert.Empty(Directory.GetFileSystemEntries(Share));
    }

    [Fact]
    public void Labels_that_were_not_agreed_on_are_left_out()
    {
        using VirtioFsGuest guest = Connect(share => share with { SecurityLabel = false });
        Assert.False(guest.Connection.Flags.HasFlag(FuseInitFlags.SecurityCtx));
        Labelled(guest, "security.selinux", "label").MkDir(NodeId.Root, "directory"u8, 0x1C0);
        Assert.Equal("", LabelOf("directory", "security.selinux"));
    }

    [Fact]
    public void Who_must_say_labels_and_does_not_is_refused()
    {
        FuseException refused = Assert.Throws<FuseException>(
            () => Connect(share => share with { SecurityLabelRequired = true }, new FuseConnectionOptions()));
        Assert.Equal(Errno.EPROTO, refused.Errno);
    }

    private static FuseClient Labelled(VirtioFsGuest guest, string name, string value) => guest.Fuse.As(
        new CallerIdentity(0, 0, Labels: LabelExtension.Of((Encoding.UTF8.GetBytes(name), Encoding.UTF8.GetBytes(value)))));

    private static void ExpectRefused(Errno expected, Action make) =>
        Assert.Equal(expected, Assert.Throws<FuseException>(make).Errno);

    private string LabelOf(string name, string attribute) => ChildProcess.Run(
        "python3",
        ["-c", "import os, sys; print(os.getxattr(*sys.argv[1:], follow_symlinks=False).decode(), end='')", Path.Combine(Share, name),
            attribute]).Output;

    private VirtioFsGuest Connect(Func<ShareConfiguration, ShareConfiguration> change, FuseConnectionOptions? options = null)
    {
        string socket = Path.Combine(_work.FullName, "a.sock");
        ShareConfiguration share = change(new ShareConfiguration
        {
            SharedDir = Directory.CreateDirectory(Share).FullName,
            SecurityLabel = true,
            Cache = Host.Server.CacheMode.Auto,
            Guests = [new GuestConfiguration { Name = "a", Socket = socket }],
        });
        _server = new GuestServer(new ServeConfiguration { Shares = [share] }, NullLoggerFactory.Instance);
        return VirtioFsGuest.Connect(socket, fuseOptions: options ?? Labelling);
    }
}
