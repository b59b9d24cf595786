using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;
using Coherency.Guest.Fuse;

namespace Coherency.Bench.Workloads;

/// <summary>
/// What compiling one source does: looks for each of 8 headers along 4 directories and misses it in those before its own, opens,
/// reads and closes it; then makes the object file, writes it and closes it. The object is removed for the next time.
/// </summary>
internal sealed class BuildWorkload(WorkloadContext context) : NameWorkload(context)
{
    private readonly NodeId[] _includes = [.. BenchTree.IncludeNames.Select(name => BenchNodes.Find(context.Fuse, name))];
    private readonly byte[][] _objects = BenchNodes.ScratchNames(context, "object");
    private readonly Lane[] _lanes = new Lane[context.Lanes];

    /// <summary>The request that a lane's slot holds the reply to.</summary>
    private enum Stage
    {
        Search,
        Open,
        Read,
        Close,
        Create,
        Write,
        CloseObject,
        Remove,
    }

    public override bool WriteNext(int lane, int step, RequestSlot slot)
    {
        if (step > 0)
        {
            return Continue(lane, ref _lanes[lane], slot);
        }

        _lanes[lane] = default;
        Search(ref _lanes[lane], slot);
        return true;
    }

    public override bool Permits(FuseOpcode opcode, Errno errno) => opcode == FuseOpcode.Lookup && errno == Errno.ENOENT;

    private bool Continue(int index, ref Lane lane, RequestSlot slot)
    {
        switch (lane.Stage)
        {
            case Stage.Search:
                ContinueSearch(ref lane, slot);
                return true;
            case Stage.Open:
                lane.File = slot.ReadOpened(lane.File.Node);
                slot.WriteRead(lane.File, offset: 0, BenchTree.FileBytes);
                break;
            case Stage.Read:
                slot.WriteRelease(lane.File);
                break;
            case Stage.Close when ++lane.Header < BenchTree.Headers:
                lane.Directory = 0;
                Search(ref lane, slot);
                return true;
            case Stage.Close:
                slot.WriteCreate(Parent, _objects[index]);
                break;
            case Stage.Create:
                lane.File = slot.ReadCreated();
                slot.WriteWrite(lane.File, offset: 0, BenchTree.FileBytes);
                break;
            case Stage.Write:
                slot.WriteRelease(lane.File);
                break;
            case Stage.CloseObject:
                slot.WriteUnlink(Parent, _objects[index]);
                break;
            default:
                return Forget(lane.File.Node);
        }

        lane.Stage++;
        return true;
    }

    private void ContinueSearch(ref Lane lane, RequestSlot slot)
    {
        if (IsMiss(slot))
        {
            lane.Directory++;
            Search(ref lane, slot);
            return;
        }

        lane.File = new OpenFile(slot.ReadNode(), default);
        slot.WriteOpen(lane.File.Node);
        lane.Stage = Stage.Open;
    }

    private void Search(ref Lane lane, RequestSlot slot)
    {
        slot.WriteLookup(_includes[lane.Directory], BenchTree.HeaderNames[lane.Header]);
        lane.Stage = Stage.Search;
    }

    /// <summary>ENOENT, or an entry of node 0, which may be cached.</summary>
    private static bool IsMiss(RequestSlot slot) => slot.ReadError() != Errno.None || slot.ReadReply<fuse_entry_out>().nodeid == 0;

    private struct Lane
    {
        public Stage Stage;
        public int Header;
        public int Directory;
        public OpenFile File;
    }
}
