using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;
using Coherency.Daemon.Configuration;
using Coherency.Daemon.Hosting;
using Coherency.Guest;
using Coherency.Guest.Fuse;
using Coherency.Guest.VhostUser;
using Coherency.Host.Transports.VhostUser;

namespace Coherency.Tests.Hostile;

/// <summary>A daemon in this process and its one guest, with one queue, which has a file open, all of it locked for writing.</summary>
internal sealed class LockedFile : IDisposable
{
    private const ulong Holder = 0;

    private readonly DirectoryInfo _work = Directory.CreateTempSubdirectory("coherency-locked-");
    private readonly GuestServer _server;

    public LockedFile(FrontendOptions frontend, FuseConnectionOptions? connection = null)
    {
        string share = _work.CreateSubdirectory("share").FullName;
        File.WriteAllText(Path.Combine(share, "file"), "text");
        string socket = Path.Combine(_work.FullName, "a.sock");
        ShareConfiguration configuration = new()
        {
            SharedDir = share,
            NumRequestQueues = 1,
            Guests = [new GuestConfiguration { Name = "a", Socket = socket }],
        };
        _server = new GuestServer(new ServeConfiguration { Shares = [configuration] }, new CollectedLog());
        Guest = VirtioFsGuest.Connect(socket, frontend, connection);
        Node = new NodeId(Guest.Fuse.Lookup(NodeId.Root, "file"u8).nodeid);
        Handle = new FileHandle(Guest.Fuse.Open(Node, OpenFlags.O_RDWR).fh);
        Guest.Fuse.SetLk(Node, Handle, Holder, Whole(LockFlags.F_WRLCK));
    }

    public VirtioFsGuest Guest { get; }

    public NodeId Node { get; }

    public FileHandle Handle { get; }

    /// <summary>How busy the queue is.</summary>
    public QueueLoad Load => _server.Guests[0].Loads[1];

    /// <summary>A lock on all of the file.</summary>
    public static fuse_file_lock Whole(short type) => new() { end = long.MaxValue, type = (uint)type };

    public void Unlock() => Guest.Fuse.SetLk(Node, Handle, Holder, Whole(LockFlags.F_UNLCK));

    public void Dispose()
    {
        Guest.Dispose();
        _server.Dispose();
        _work.Delete(recursive: true);
    }
}
