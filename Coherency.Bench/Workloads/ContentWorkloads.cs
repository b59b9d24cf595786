using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;
using Coherency.Guest.Fuse;

namespace Coherency.Bench.Workloads;

/// <summary>Opens a file, reads its 4 KiB, closes it; 1,000 files in turn.</summary>
internal sealed class OpenReadWorkload(FuseClient fuse, int lanes) : IWorkload
{
    private readonly NodeId[] _nodes = FileNodes.LookUpAll(fuse);
    private readonly (NodeId Node, FileHandle Handle)[] _open = new (NodeId, FileHandle)[lanes];
    private int _next;

    public bool WriteNext(int lane, int step, RequestSlot slot)
    {
        switch (step)
        {
            case 0: WriteOpen(lane, slot); return true;
            case 1: RememberHandle(lane, slot); WriteRead(lane, slot); return true;
            case 2: WriteRelease(lane, slot); return true;
            default: return false;
        }
    }

    public void Finish()
    {
        // Every operation closes what it opened.
    }

    private void WriteOpen(int lane, RequestSlot slot)
    {
        NodeId node = _nodes[_next++ % _nodes.Length];
        _open[lane].Node = node;
        slot.Begin(FuseOpcode.Open, node, CallerIdentity.Root);
        slot.Argument(new fuse_open_in { flags = OpenFlags.O_RDONLY });
        slot.ExpectReply<fuse_open_out>();
    }

    private void RememberHandle(int lane, RequestSlot slot) => _open[lane].Handle = new FileHandle(slot.ReadReply<fuse_open_out>().fh);

    private void WriteRead(int lane, RequestSlot slot)
    {
        slot.Begin(FuseOpcode.Read, _open[lane].Node, CallerIdentity.Root);
        slot.Argument(new fuse_read_in { fh = _open[lane].Handle.Value, size = BenchTree.FileBytes });
        slot.ExpectData(BenchTree.FileBytes);
    }

    private void WriteRelease(int lane, RequestSlot slot)
    {
        slot.Begin(FuseOpcode.Release, _open[lane].Node, CallerIdentity.Root);
        slot.Argument(new fuse_release_in { fh = _open[lane].Handle.Value });
        slot.ExpectReply();
    }
}

/// <summary>Reads or overwrites a file of 64 MiB from its start to its end and again, 1 MiB a request.</summary>
internal sealed class StreamWorkload : IWorkload
{
    private const int RequestBytes = 1 << 20;

    private readonly FuseClient _fuse;
    private readonly FuseOpcode _opcode;
    private readonly NodeId _node;
    private readonly FileHandle _handle;
    private long _next;

    /// <param name="opcode">Read or Write.</param>
    public StreamWorkload(FuseClient fuse, FuseOpcode opcode)
    {
        _fuse = fuse;
        _opcode = opcode;
        _node = new NodeId(fuse.Lookup(NodeId.Root, BenchTree.StreamFile).nodeid);
        _handle = new FileHandle(fuse.Open(_node, OpenFlags.O_RDWR).fh);
    }

    public bool WriteNext(int lane, int step, RequestSlot slot)
    {
        if (step > 0)
        {
            return false;
        }

        ulong offset = (ulong)(_next++ * RequestBytes % BenchTree.StreamBytes);
        slot.Begin(_opcode, _node, CallerIdentity.Root);
        if (_opcode == FuseOpcode.Read)
        {
            slot.Argument(new fuse_read_in { fh = _handle.Value, offset = offset, size = RequestBytes });
            slot.ExpectData(RequestBytes);
        }
        else
        {
            slot.Argument(new fuse_write_in { fh = _handle.Value, offset = offset, size = RequestBytes, flags = OpenFlags.O_RDWR });
            slot.SendData(RequestBytes);
            slot.ExpectReply<fuse_write_out>();
        }

        return true;
    }

    public void Finish() => _fuse.Release(_node, _handle);
}
