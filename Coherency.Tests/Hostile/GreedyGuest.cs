using System.Text;
using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;
using Coherency.Core.Versioning;
using Coherency.Guest;
using Coherency.Guest.Coherence;
using Coherency.Guest.Fuse;
using Coherency.Guest.VhostUser;

namespace Coherency.Tests.Hostile;

/// <summary>
/// A guest that takes what it can get of one thing, again and again, and gives nothing back until it is gone. Each step does it once;
/// an error is what the daemon says to it, and it goes on.
/// </summary>
internal sealed class GreedyGuest(string socket) : IDisposable
{
    /// <summary>Requests of one connection that may wait at a time.</summary>
    private const int SlotsMax = 256;

    private const int DataBytes = 1 << 18;

    private const ulong UnknownNode = 0xDEAD_BEEF_0BAD_CAFE;

    private static readonly fuse_file_lock WholeFile = new() { type = (uint)LockFlags.F_WRLCK, end = long.MaxValue };

    private VirtioFsGuest? _guest;
    private (NodeId Node, FileHandle Handle) _own;
    private int _step;

    /// <summary>What it does, by the name of what it takes.</summary>
    public static IReadOnlyDictionary<string, Action<GreedyGuest>> Greeds { get; } = new Dictionary<string, Action<GreedyGuest>>
    {
        ["open files"] = one => one.Fuse.Open(one.Find("file"), OpenFlags.O_RDWR),
        ["open directories"] = one => one.Fuse.ReadDirPlus(NodeId.Root, new FileHandle(one.Fuse.OpenDir(NodeId.Root).fh), 0),
        ["files without a name"] = one => one.KeepUnlinked(),
        ["temporary files"] = one => one.Fuse.TmpFile(NodeId.Root, OpenFlags.O_RDWR, 0x180),
        ["inodes"] = one => one.Fuse.MkNod(one.OwnDirectory(), one.NextName(), StatFlags.S_IFREG | 0x1A4),
        ["absent names"] = one => one.Fuse.Lookup(NodeId.Root, one.NextName()),
        ["lock owners"] = one => one.Lock(owner: (ulong)one._step, start: (ulong)one._step * 2),
        ["lock ranges"] = one => one.Lock(owner: 1, start: (ulong)one._step * 2),
        ["waiting locks"] = one => one.WaitForLock(),
        ["files said to be open"] = one => one.SayOpened(),
        ["extended attributes"] = one => one.Fuse.SetXattr(one.Find("file"), one.NextName("user."), new byte[1000]),
        ["lines in the log"] = one => one.SendNonsense(),
        ["changes of everybody's names"] = one => one.Fuse.Rename2(
            NodeId.Root, "file"u8, NodeId.Root, "file2"u8, OpenFlags.RENAME_EXCHANGE),
        ["large listings"] = one => one.Fuse.ReadDirPlus(
            one.OwnDirectory(), new FileHandle(one.Fuse.OpenDir(one.OwnDirectory()).fh), (ulong)one._step, DataBytes),
        ["forgotten references"] = one => one.Fuse.Forget(new NodeId(UnknownNode + (ulong)one._step), ulong.MaxValue),
        ["conversations"] = one => one.Reconnect(),
        ["attachments"] = one => one.AttachAgain(),
    };

    /// <summary>Errors that the daemon answered with.</summary>
    public HashSet<Errno> Errors { get; } = [];

    /// <summary>How often it got what it wanted.</summary>
    public int Granted { get; private set; }

    private FuseClient Fuse => (_guest ??= Connect()).Fuse;

    /// <summary>Takes once more.</summary>
    public void Take(Action<GreedyGuest> greed)
    {
        _step++;
        try
        {
            greed(this);
            Granted++;
        }
        catch (FuseException refused)
        {
            Errors.Add(refused.Errno);
        }
    }

    /// <summary>Dies with all that it has.</summary>
    public void Dispose() => _guest?.Kill();

    private VirtioFsGuest Connect() => VirtioFsGuest.Connect(
        socket, new FrontendOptions { MemoryBytes = 1 << 28 }, new FuseConnectionOptions
        {
            SlotsPerQueue = SlotsMax,
            DataBytesMax = DataBytes,
        });

    private byte[] NextName(string prefix = "greedy-") => Encoding.UTF8.GetBytes($"{prefix}{_step}");

    /// <summary>0 where there is nothing, which a guest that caches is told.</summary>
    private NodeId Find(string name) => new(Fuse.Lookup(NodeId.Root, Encoding.UTF8.GetBytes(name)).nodeid);

    private NodeId OwnDirectory() =>
        Find("greedy") is { Value: not 0 } known ? known : new NodeId(Fuse.MkDir(NodeId.Root, "greedy"u8, 0x1C0).nodeid);

    private (NodeId Node, FileHandle Handle) Own()
    {
        if (_own.Node == default)
        {
            CreatedFile file = Fuse.Create(OwnDirectory(), NextName(), OpenFlags.O_RDWR, 0x180);
            _own = (file.Node, file.Handle);
        }

        return _own;
    }

    private void SayOpened()
    {
        NodeId node = new(Fuse.MkNod(OwnDirectory(), NextName(), StatFlags.S_IFREG | 0x1A4).nodeid);
        Fuse.SetXattr(node, "trusted.coherency.opened"u8, []);
    }

    private void KeepUnlinked()
    {
        byte[] name = NextName();
        Fuse.Create(NodeId.Root, name, OpenFlags.O_RDWR, 0x180);
        Fuse.Unlink(NodeId.Root, name);
    }

    private void Lock(ulong owner, ulong start)
    {
        (NodeId node, FileHandle handle) = Own();
        Fuse.SetLk(node, handle, owner, WholeFile with { start = start, end = start });
    }

    /// <summary>Of a lock that another owner of its own holds, for as long as there is room for a request.</summary>
    private void WaitForLock()
    {
        (NodeId node, FileHandle handle) = Own();
        RequestQueue queue = Fuse.Connection.RequestQueues[0];
        if (_step == 1)
        {
            Fuse.SetLk(node, handle, 1, WholeFile);
        }

        if (queue.FreeSlots < SlotsMax / 4)
        {
            // It has what it can get; what it does now is to be in the way.
            Fuse.GetAttr(NodeId.Root);
            return;
        }

        RequestSlot wait = queue.Acquire();
        wait.Begin(FuseOpcode.SetLkw, node, CallerIdentity.Root);
        wait.Argument(new fuse_lk_in { fh = handle.Value, owner = 1 + (ulong)_step, lk = WholeFile });
        wait.ExpectReply();
        queue.Submit(wait);
    }

    private void SendNonsense()
    {
        using Exchange exchange = Fuse.Begin((FuseOpcode)(4096 + (_step % 100)), NodeId.Root);
        exchange.Slot.ExpectReply();
        Errors.Add(exchange.Send());
    }

    private void Reconnect()
    {
        _guest?.Dispose();
        _guest = null;
        _own = default;
        Fuse.GetAttr(NodeId.Root);
    }

    private void AttachAgain()
    {
        using VersionTableReader table = VersionTableReader.Open(socket + ".table");
        AttachHandshake.Perform(Fuse, table, withoutOpens: true);
        AttachHandshake.End(Fuse);
    }
}
