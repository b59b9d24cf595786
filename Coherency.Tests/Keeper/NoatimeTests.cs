using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Guest;
using Coherency.Guest.Fuse;

namespace Coherency.Tests.Keeper;

/// <summary>O_NOATIME goes on to the host with <c>--preserve-noatime</c>, and only then: as with virtiofsd 1.14.</summary>
[Trait("Category", "Vm")]
[Trait("Category", "Root")]
public sealed class NoatimeTests : IDisposable
{
    // Not in /tmp, which machines mount with noatime.
    private readonly DirectoryInfo _work = new DirectoryInfo("/dev/shm").CreateSubdirectory($"coherency-noatime-{Guid.NewGuid():N}");

    public void Dispose() => _work.Delete(recursive: true);

    [Theory]
    [InlineData("", "moved")]
    [InlineData("--preserve-noatime", "kept")]
    [InlineData("--modcaps=-fowner", "moved")]
    [InlineData("--preserve-noatime --modcaps=-fowner", "EPERM")]
    public void Reading_moves_the_access_time_as_with_virtiofsd(string options, string expected)
    {
        string[] words = [.. options.Split(' ', StringSplitOptions.RemoveEmptyEntries)];
        string theirs = Read("theirs", (socket, share) => CompanionProcess.Start(
            PeerDaemons.PreparedRustVirtiofsdPath, ["--socket-path", socket, "--shared-dir", share, .. words]));
        string ours = Read("ours", (socket, share) => KeeperProcess.Begin(
            KeeperProcess.Built, Path.Combine(_work.FullName, "run"), ["--socket-path", socket, "--shared-dir", share, .. words]));
        Assert.Equal((expected, expected), (theirs, ours));
    }

    /// <summary>Of a file that belongs to another user than the daemon's.</summary>
    private string Read(string name, Func<string, string, IDisposable> start)
    {
        DirectoryInfo work = _work.CreateSubdirectory(name);
        string share = work.CreateSubdirectory("share").FullName;
        string file = Path.Combine(share, "file");
        File.WriteAllText(file, "content");
        ChildProcess.Run("chown", ["1000:1000", file]);
        DateTime old = DateTime.UtcNow.AddYears(-20);
        File.SetLastAccessTimeUtc(file, old);
        string socket = Path.Combine(work.FullName, "socket");
        using IDisposable daemon = start(socket, share);
        using VirtioFsGuest guest = VirtioFsGuest.Connect(socket, new() { ConnectTimeoutMs = 60_000, RequestQueues = 1 });
        try
        {
            const int flags = OpenFlags.O_RDONLY | OpenFlags.O_NOATIME;
            NodeId node = new(guest.Fuse.Lookup(NodeId.Root, "file"u8).nodeid);
            FileHandle handle = new(guest.Fuse.Open(node, flags).fh);
            Assert.Equal(7, guest.Fuse.Read(node, handle, 0, new byte[10], flags));
            return File.GetLastAccessTimeUtc(file) == old ? "kept" : "moved";
        }
        catch (FuseException refused)
        {
            return refused.Errno.ToString();
        }
    }
}
