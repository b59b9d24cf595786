using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Daemon.Configuration;
using Coherency.Daemon.Hosting;
using Coherency.Guest;
using Coherency.Guest.Fuse;
using Coherency.Tests.Hostile;
using Coherency.Tests.Passthrough;
using Xunit;

namespace Coherency.Tests.Daemon;

/// <summary>What the daemon may do on the host is not for guests to use, where requests do not need it.</summary>
[Trait("Category", "Root")]
public sealed class CapabilityTests
{
    [Theory]
    [InlineData(0u)]
    [InlineData(1000u)]
    public void Blocks_that_are_reserved_for_others_stay_so(uint uid)
    {
        // Half of its 400 MiB are for a user that is neither the daemon nor anybody in the guest.
        using LoopFileSystem disk = new("mkfs.ext4 -q -m 50", mount: "mount -o loop,resuid=12345");
        using TemporarySockets sockets = new();
        ShareConfiguration share = new()
        {
            SharedDir = disk.Directory,
            Guests = [new GuestConfiguration { Name = "a", Socket = sockets.Path }],
        };
        using GuestServer server = new(new ServeConfiguration { Shares = [share] }, new CollectedLog());
        using VirtioFsGuest guest = VirtioFsGuest.Connect(sockets.Path);
        FuseClient fuse = guest.Fuse.As(new CallerIdentity(uid, uid));
        CreatedFile file = fuse.Create(NodeId.Root, "large"u8, OpenFlags.O_RDWR, 0x1A4);
        fuse.Fallocate(file.Node, file.Handle, 0, 0, 50 << 20);
        FuseException refused = Assert.Throws<FuseException>(() => fuse.Fallocate(file.Node, file.Handle, 0, 0, 300 << 20));
        Assert.Equal(Errno.ENOSPC, refused.Errno);
    }

    private sealed class TemporarySockets : IDisposable
    {
        private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("coherency-socket-");

        public string Path => System.IO.Path.Combine(_directory.FullName, "a.sock");

        public void Dispose() => _directory.Delete(recursive: true);
    }
}
