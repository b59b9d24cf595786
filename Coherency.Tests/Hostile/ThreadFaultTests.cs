using System.Globalization;
using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;
using Coherency.Daemon.Configuration;
using Coherency.Daemon.Hosting;
using Coherency.Guest;
using Coherency.Guest.Fuse;
using Coherency.Tests.Vm;
using Xunit;

namespace Coherency.Tests.Hostile;

/// <summary>
/// What goes wrong on a thread ends one guest's connection, or a request: never the process, in which these tests run too, and never
/// what other guests do. That the log fails as well makes it leave every place that tells of it.
/// </summary>
public sealed class ThreadFaultTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private static readonly string[] Names = ["honest", "faulty", "holder"];

    private readonly DirectoryInfo _work = Directory.CreateTempSubdirectory("coherency-faults-");
    private readonly CollectedLog _log = new() { FailsOn = "must not" };
    private readonly ReplyGate _gate = new();
    private GuestServer? _server;

    public void Dispose()
    {
        _server?.Dispose();
        _work.Delete(recursive: true);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task A_thread_that_serves_requests_takes_only_its_guests_connection_along(int helpers)
    {
        Start(helpers);
        using VirtioFsGuest honest = Connect("honest");
        using (VirtioFsGuest faulty = Connect("faulty"))
        {
            NodeId file = Find(faulty);
            using (_gate.Intercept("faulty", FuseOpcode.Open, Inode, _ => throw new InvalidOperationException("a fault")))
            {
                // The reply may or may not come before the connection ends.
                await Assert.ThrowsAnyAsync<Exception>(
                    () => Task.Run(() => faulty.Fuse.Open(file, OpenFlags.O_RDONLY)).WaitAsync(Patience));
                Assert.True(_log.WaitFor("faulty: VMM disconnected"), _log.Text);
            }
        }

        Assert.Equal("content"u8, honest.Files.ReadAllBytes("/file"));
        using VirtioFsGuest again = Connect("faulty");
        Assert.Equal("content"u8, again.Files.ReadAllBytes("/file"));
    }

    [Fact]
    public async Task The_thread_that_waits_for_locks_goes_on()
    {
        Start(helpers: 0);
        using VirtioFsGuest holder = Connect("holder");
        using VirtioFsGuest honest = Connect("honest");
        using VirtioFsGuest faulty = Connect("faulty");
        const short Write = (short)LockFlags.F_WRLCK;
        (NodeId Node, FileHandle Handle) held = Open(holder);
        holder.Fuse.Flock(held.Node, held.Handle, 1, Write);
        (NodeId Node, FileHandle Handle) inHonest = Open(honest);
        Task waiting = Task.Run(() => honest.Fuse.Flock(inHonest.Node, inHonest.Handle, 1, Write, wait: true));
        (NodeId Node, FileHandle Handle) inFaulty = Open(faulty);
        int tries = 0;
        using (_gate.Intercept("faulty", FuseOpcode.SetLk, Inode, answer => tries++ > 0
            ? throw new InvalidOperationException("a fault")
            : answer))
        {
            FuseException refused = await Assert.ThrowsAsync<FuseException>(
                () => Task.Run(() => faulty.Fuse.Flock(inFaulty.Node, inFaulty.Handle, 1, Write, wait: true)).WaitAsync(Patience));
            Assert.Equal(Errno.EIO, refused.Errno);
        }

        Assert.False(waiting.IsCompleted);
        holder.Fuse.Flock(held.Node, held.Handle, 1, (short)LockFlags.F_UNLCK);
        await waiting.WaitAsync(Patience);
    }

    [Fact]
    public async Task A_thread_that_tries_requests_again_goes_on()
    {
        Start(helpers: 0);
        using VirtioFsGuest faulty = Connect("faulty");
        NodeId file = Find(faulty);
        int tries = 0;
        using (_gate.Intercept("faulty", FuseOpcode.Open, Inode, _ => tries++ > 0
            ? throw new InvalidOperationException("a fault")
            : Errno.ERESTART))
        {
            FuseException refused = await Assert.ThrowsAsync<FuseException>(
                () => Task.Run(() => faulty.Fuse.Open(file, OpenFlags.O_RDONLY)).WaitAsync(Patience));
            Assert.Equal(Errno.EIO, refused.Errno);
        }

        tries = 0;
        using (_gate.Intercept("faulty", FuseOpcode.Open, Inode, answer => tries++ == 0 ? Errno.ERESTART : answer))
        {
            await Task.Run(() => faulty.Fuse.Open(file, OpenFlags.O_RDONLY)).WaitAsync(Patience);
        }

        tries = 0;
        using (_gate.Intercept("faulty", FuseOpcode.Unlink, Root, answer => tries++ == 0 ? Errno.ERESTART : answer))
        {
            // Whoever interrupts has the request carried out first: the name is gone, and was answered for once.
            Assert.Equal(Errno.ENOENT, Assert.Throws<FuseException>(() => faulty.Fuse.Unlink(NodeId.Root, "file"u8)).Errno);
            Assert.Equal(2, tries);
        }
    }

    private ulong Inode => InodeOf(Path.Combine(_work.FullName, "share", "file"));

    private ulong Root => InodeOf(Path.Combine(_work.FullName, "share"));

    private static ulong InodeOf(string path) =>
        ulong.Parse(ChildProcess.Run("stat", ["-c", "%i", path]).Output, CultureInfo.InvariantCulture);

    private void Start(int helpers)
    {
        string share = _work.CreateSubdirectory("share").FullName;
        File.WriteAllText(Path.Combine(share, "file"), "content");
        ShareConfiguration configuration = new()
        {
            SharedDir = share,
            NumRequestQueues = 1,
            ThreadPoolSize = helpers,
            Guests = [.. Names.Select(name => new GuestConfiguration { Name = name, Socket = Socket(name) })],
        };
        _server = new GuestServer(new ServeConfiguration { Shares = [configuration] }, _log, _gate.Interposition);
    }

    private string Socket(string guest) => Path.Combine(_work.FullName, guest + ".sock");

    private VirtioFsGuest Connect(string guest) => VirtioFsGuest.Connect(Socket(guest));

    private static NodeId Find(VirtioFsGuest guest) => new(guest.Fuse.Lookup(NodeId.Root, "file"u8).nodeid);

    private static (NodeId Node, FileHandle Handle) Open(VirtioFsGuest guest)
    {
        NodeId node = Find(guest);
        return (node, new FileHandle(guest.Fuse.Open(node, OpenFlags.O_RDWR).fh));
    }
}
