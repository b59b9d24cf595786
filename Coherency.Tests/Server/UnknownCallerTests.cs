using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;
using Coherency.Daemon.Configuration;
using Coherency.Daemon.Hosting;
using Coherency.Guest;
using Coherency.Guest.Fuse;
using Microsoft.Extensions.Logging.Abstractions;

namespace Coherency.Tests.Server;

/// <summary>
/// A client that may make idmapped mounts says who asks only of what it makes; all others are users without rights, whose permission its
/// kernel has checked.
/// </summary>
[Trait("Category", "Root")]
public sealed class UnknownCallerTests : IDisposable
{
    private static readonly CallerIdentity Unknown = new(CallerIdentity.UnknownId, CallerIdentity.UnknownId);

    private static readonly FuseConnectionOptions Idmapping = new()
    {
        Flags = new FuseConnectionOptions().Flags | FuseInitFlags.AllowIdmap,
    };

    private readonly DirectoryInfo _work = Directory.CreateTempSubdirectory("coherency-unknown-");
    private GuestServer? _server;

    private string Share => Path.Combine(_work.FullName, "share");

    public void Dispose()
    {
        _server?.Dispose();
        _work.Delete(recursive: true);
    }

    [Theory]
    [InlineData("")]
    [InlineData("squash-guest:0:107:4294967295")]
    public void Changes_are_made_for_whoever_asks(string translation)
    {
        using VirtioFsGuest guest = Connect(translation);
        Assert.True(guest.Connection.Flags.HasFlag(FuseInitFlags.AllowIdmap));
        FuseClient fuse = guest.Fuse.As(Unknown);
        NodeId node = new(fuse.Lookup(NodeId.Root, "file"u8).nodeid);
        FileHandle handle = new(fuse.Open(node, OpenFlags.O_RDWR).fh);
        fuse.SetAttr(node, new fuse_setattr_in { valid = (uint)FuseSetAttrValid.Mode, mode = 0x1A0 });
        fuse.SetAttr(node, new fuse_setattr_in { valid = (uint)FuseSetAttrValid.Size, size = 3 });
        fuse.SetAttr(
            node, new fuse_setattr_in { valid = (uint)(FuseSetAttrValid.Size | FuseSetAttrValid.KillSuidgid), size = 2 });
        fuse.SetAttr(node, new fuse_setattr_in { valid = (uint)(FuseSetAttrValid.Uid | FuseSetAttrValid.Gid), uid = 5, gid = 6 });
        Assert.Equal(1, fuse.Write(node, handle, 0, "x"u8, FuseWriteFlags.KillSuidgid));
        fuse.Fallocate(node, handle, 0, 0, 4096);
        fuse.Access(node, 7);
        fuse.Link(node, NodeId.Root, "link"u8);
        fuse.Rename(NodeId.Root, "link"u8, NodeId.Root, "renamed"u8);
        fuse.Unlink(NodeId.Root, "renamed"u8);
        fuse.SetXattr(node, "trusted.name"u8, "value"u8);
        Assert.Contains("trusted.name", System.Text.Encoding.UTF8.GetString(fuse.ListXattr(node)), StringComparison.Ordinal);
        Assert.Equal(translation.Length > 0 ? "107:107" : "5:6", ChildProcess.Shell($"stat -c %u:%g {Share}/file"));
    }

    /// <summary>Only somebody who has the right to may leave set-id bits, and nobody is known to.</summary>
    [Fact]
    public void Set_id_bits_go_with_every_change()
    {
        using VirtioFsGuest guest = Connect("");
        FuseClient fuse = guest.Fuse.As(Unknown);
        NodeId node = new(fuse.Lookup(NodeId.Root, "file"u8).nodeid);
        FileHandle handle = new(fuse.Open(node, OpenFlags.O_RDWR).fh);
        foreach (Action change in (Action[])
        [
            () => fuse.Fallocate(node, handle, 0, 0, 4096),
            () => fuse.Write(node, handle, 0, "x"u8, FuseWriteFlags.KillSuidgid),
            () => fuse.SetAttr(node, new fuse_setattr_in { valid = (uint)FuseSetAttrValid.Uid, uid = 7 }),
        ])
        {
            ChildProcess.Shell($"chmod 6777 {Share}/file");
            change();
            Assert.Equal("777", ChildProcess.Shell($"stat -c %a {Share}/file"));
        }
    }

    [Fact]
    public void Nothing_is_made_for_nobody()
    {
        using VirtioFsGuest guest = Connect("");
        FuseClient fuse = guest.Fuse.As(Unknown);
        foreach (Action make in (Action[])
        [
            () => fuse.Create(NodeId.Root, "new"u8, OpenFlags.O_RDWR, 0x1A4), () => fuse.MkDir(NodeId.Root, "new"u8, 0x1ED),
            () => fuse.Symlink(NodeId.Root, "new"u8, "target"u8), () => fuse.MkNod(NodeId.Root, "new"u8, StatFlags.S_IFIFO),
            () => fuse.TmpFile(NodeId.Root, OpenFlags.O_RDWR, 0x1A4),
        ])
        {
            Assert.Equal(Errno.EOVERFLOW, Assert.Throws<FuseException>(make).Errno);
        }

        Assert.Equal([Path.Combine(Share, "file")], Directory.GetFileSystemEntries(Share));
        // The thread works for others as before.
        guest.Fuse.MkDir(NodeId.Root, "new"u8, 0x1ED);
        Assert.Equal("0:0", ChildProcess.Shell($"stat -c %u:%g {Share}/new"));
    }

    private VirtioFsGuest Connect(string translation)
    {
        string socket = Path.Combine(_work.FullName, "a.sock");
        Directory.CreateDirectory(Share);
        File.WriteAllText(Path.Combine(Share, "file"), "content");
        string[] rules = translation.Length > 0 ? [translation] : [];
        ShareConfiguration share = new()
        {
            SharedDir = Share,
            AllowIdmap = true,
            TranslateUid = rules,
            TranslateGid = rules,
            Cache = Host.Server.CacheMode.Auto,
            Guests = [new GuestConfiguration { Name = "a", Socket = socket }],
        };
        _server = new GuestServer(new ServeConfiguration { Shares = [share] }, NullLoggerFactory.Instance);
        return VirtioFsGuest.Connect(socket, fuseOptions: Idmapping);
    }
}
