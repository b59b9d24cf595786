using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;
using Coherency.Daemon.Configuration;
using Coherency.Daemon.Hosting;
using Coherency.Guest;
using Coherency.Guest.Fuse;
using Coherency.Host.Server;
using Microsoft.Extensions.Logging.Abstractions;

namespace Coherency.Tests.Server;

/// <summary>What INIT agrees on, and what each cache mode then tells the client it may keep.</summary>
public sealed class NegotiationTests : IDisposable
{
    private const ulong DaySeconds = 86_400;

    private readonly DirectoryInfo _work = Directory.CreateTempSubdirectory("coherency-init-");
    private GuestServer? _server;

    public void Dispose()
    {
        _server?.Dispose();
        _work.Delete(recursive: true);
    }

    [Theory]
    [InlineData(CacheMode.Never, 0ul, FuseOpenReplyFlags.DirectIo, FuseOpenReplyFlags.None, false)]
    [InlineData(CacheMode.Auto, 1ul, FuseOpenReplyFlags.None, FuseOpenReplyFlags.None, false)]
    [InlineData(
        CacheMode.Metadata, DaySeconds, FuseOpenReplyFlags.DirectIo, FuseOpenReplyFlags.CacheDir | FuseOpenReplyFlags.KeepCache, true)]
    [InlineData(
        CacheMode.Always, DaySeconds, FuseOpenReplyFlags.KeepCache, FuseOpenReplyFlags.CacheDir | FuseOpenReplyFlags.KeepCache, true)]
    public void A_cache_mode_means_what_virtiofsd_means_by_it(
        CacheMode mode, ulong seconds, FuseOpenReplyFlags file, FuseOpenReplyFlags directory, bool symlinks)
    {
        using VirtioFsGuest guest = Connect(share => share with { Cache = mode });
        fuse_entry_out entry = guest.Fuse.Lookup(NodeId.Root, "file"u8);
        Assert.Equal((seconds, seconds), (entry.entry_valid, entry.attr_valid));
        Assert.Equal(seconds, guest.Fuse.GetAttr(NodeId.Root).attr_valid);
        Assert.Equal(file, (FuseOpenReplyFlags)guest.Fuse.Open(new NodeId(entry.nodeid), OpenFlags.O_RDONLY).open_flags);
        Assert.Equal(directory, (FuseOpenReplyFlags)guest.Fuse.OpenDir(NodeId.Root).open_flags);
        // What has no name is not looked up again: overlayfs would take that for a file that is gone.
        Assert.True(guest.Fuse.TmpFile(NodeId.Root, OpenFlags.O_RDWR, 0x180).Entry.entry_valid > DaySeconds);
        Assert.Equal(symlinks, guest.Connection.Flags.HasFlag(FuseInitFlags.CacheSymlinks));
        Assert.Equal(mode != CacheMode.Never, guest.Connection.Flags.HasFlag(FuseInitFlags.ReaddirplusAuto));
    }

    [Theory]
    [InlineData(CacheMode.Auto, 1ul)]
    [InlineData(CacheMode.Always, DaySeconds)]
    public void An_absent_name_is_an_entry_that_may_be_kept(CacheMode mode, ulong seconds)
    {
        using VirtioFsGuest guest = Connect(share => share with { Cache = mode });
        fuse_entry_out entry = guest.Fuse.Lookup(NodeId.Root, "absent"u8);
        Assert.Equal((0ul, seconds), (entry.nodeid, entry.entry_valid));
    }

    [Fact]
    public void An_absent_name_is_an_error_where_nothing_may_be_kept()
    {
        using VirtioFsGuest guest = Connect(share => share with { Cache = CacheMode.Never });
        Assert.Equal(Errno.ENOENT, Assert.Throws<FuseException>(() => guest.Fuse.Lookup(NodeId.Root, "absent"u8)).Errno);
    }

    [Fact]
    public void Timeouts_can_be_set_one_by_one()
    {
        using VirtioFsGuest guest = Connect(share => share with { EntryTimeout = 2.5, AttrTimeout = 0, NegativeTimeout = 7 });
        fuse_entry_out entry = guest.Fuse.Lookup(NodeId.Root, "file"u8);
        Assert.Equal((2ul, 500_000_000u), (entry.entry_valid, entry.entry_valid_nsec));
        Assert.Equal((0ul, 0u), (entry.attr_valid, entry.attr_valid_nsec));
        Assert.Equal(7ul, guest.Fuse.Lookup(NodeId.Root, "absent"u8).entry_valid);
    }

    [Fact]
    public void Writeback_and_locks_are_granted_as_configured()
    {
        using VirtioFsGuest guest = Connect(share => share with { Writeback = true });
        FuseInitFlags expected = FuseInitFlags.WritebackCache | FuseInitFlags.PosixLocks | FuseInitFlags.FlockLocks
            | FuseInitFlags.MaxPages | FuseInitFlags.CreateSuppGroup | FuseInitFlags.HandleKillprivV2 | FuseInitFlags.DontMask;
        Assert.Equal(expected, guest.Connection.Flags & expected);
        Assert.Equal((1u << 20, (ushort)256), (guest.Connection.Protocol.max_write, guest.Connection.Protocol.max_pages));
    }

    [Theory]
    [InlineData(31u, 31u)]
    [InlineData(36u, 36u)]
    [InlineData(45u, 45u)]
    [InlineData(99u, 45u)]
    public void The_lower_minor_version_is_spoken(uint offered, uint agreed)
    {
        using VirtioFsGuest guest = Connect(share => share, new FuseConnectionOptions { MinorVersion = offered });
        Assert.Equal(agreed, guest.Connection.Protocol.minor);
        Assert.True(guest.Files.Stat("/file").IsRegularFile);
    }

    [Fact]
    public void A_client_that_is_too_old_is_refused()
    {
        FuseException refused = Assert.Throws<FuseException>(
            () => Connect(share => share, new FuseConnectionOptions { MinorVersion = 30 }));
        Assert.Equal(Errno.EPROTO, refused.Errno);
    }

    [Fact]
    public void A_second_init_starts_over()
    {
        using VirtioFsGuest guest = Connect(share => share);
        NodeId node = new(guest.Fuse.Lookup(NodeId.Root, "file"u8).nodeid);
        FileHandle handle = new(guest.Fuse.Open(node, OpenFlags.O_RDONLY).fh);
        guest.Connection.Initialize();
        Assert.Equal(Errno.ESTALE, Assert.Throws<FuseException>(() => guest.Fuse.GetAttr(node)).Errno);
        Assert.Equal(Errno.EBADF, Assert.Throws<FuseException>(() => guest.Fuse.Read(node, handle, 0, new byte[1])).Errno);
        Assert.True(guest.Files.Stat("/file").IsRegularFile);
    }

    private VirtioFsGuest Connect(Func<ShareConfiguration, ShareConfiguration> change, FuseConnectionOptions? options = null)
    {
        string directory = _work.CreateSubdirectory("share").FullName;
        string socket = Path.Combine(_work.FullName, "a.sock");
        File.WriteAllText(Path.Combine(directory, "file"), "content");
        ShareConfiguration share = change(new ShareConfiguration
        {
            SharedDir = directory,
            Guests = [new GuestConfiguration { Name = "a", Socket = socket }],
        });
        _server = new GuestServer(new ServeConfiguration { Shares = [share] }, NullLoggerFactory.Instance);
        return VirtioFsGuest.Connect(socket, fuseOptions: options);
    }
}
