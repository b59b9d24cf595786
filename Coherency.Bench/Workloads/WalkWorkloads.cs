using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Guest.Fuse;

namespace Coherency.Bench.Workloads;

/// <summary>A stat by path of a guest that has nothing cached: LOOKUP of the directory, LOOKUP of the file, GETATTR.</summary>
internal sealed class StatStormWorkload(WorkloadContext context) : IWorkload
{
    private readonly int[] _files = new int[context.Lanes];
    private readonly NodeId[] _nodes = new NodeId[context.Lanes];
    private int _next = context.Driver;

    public bool WriteNext(int lane, int step, RequestSlot slot)
    {
        switch (step)
        {
            case 0:
                _files[lane] = (_next++ & int.MaxValue) % BenchTree.FileCount;
                slot.WriteLookup(NodeId.Root, BenchTree.FilesDirectory);
                return true;
            case 1:
                slot.WriteLookup(slot.ReadNode(), BenchTree.FileNames[_files[lane]]);
                return true;
            case 2:
                _nodes[lane] = slot.ReadNode();
                slot.WriteGetAttr(_nodes[lane]);
                return true;
            default:
                return false;
        }
    }

    public void Finish()
    {
        // References add up in a counter of the daemon and cost nothing.
    }
}

/// <summary>
/// One directory of what <c>git status</c> does: finds it, lists it with attributes, looks for a .gitignore that is not there,
/// and stats each of its 20 files.
/// </summary>
internal sealed class GitWalkWorkload(WorkloadContext context) : IWorkload
{
    private const int ReplyBytes = 32 * 1024;

    private readonly NodeId _tree = BenchNodes.Find(context.Fuse, BenchTree.WalkDirectory);
    private readonly NodeId[][] _files = FindFiles(context.Fuse);
    private readonly Lane[] _lanes = new Lane[context.Lanes];
    private int _next = context.Driver;

    private static ReadOnlySpan<byte> Absent => ".gitignore"u8;

    /// <summary>What a lane does next.</summary>
    private enum Stage
    {
        Open,
        StartList,
        List,
        LookForIgnore,
        Stat,
    }

    public bool WriteNext(int lane, int step, RequestSlot slot)
    {
        if (step > 0)
        {
            return Continue(ref _lanes[lane], slot);
        }

        _lanes[lane] = new Lane { Index = (_next++ & int.MaxValue) % BenchTree.WalkDirectories };
        slot.WriteLookup(_tree, BenchTree.WalkNames[_lanes[lane].Index]);
        return true;
    }

    public bool Permits(FuseOpcode opcode, Errno errno) => opcode == FuseOpcode.Lookup && errno == Errno.ENOENT;

    public void Finish()
    {
        // Every operation closes what it opened.
    }

    private bool Continue(ref Lane lane, RequestSlot slot)
    {
        switch (lane.Stage)
        {
            case Stage.Open:
                lane.Directory = new OpenFile(slot.ReadNode(), default);
                slot.WriteOpenDir(lane.Directory.Node);
                lane.Stage = Stage.StartList;
                return true;
            case Stage.StartList:
                lane.Directory = slot.ReadOpened(lane.Directory.Node);
                slot.WriteReadDir(FuseOpcode.ReadDirPlus, lane.Directory, offset: 0, ReplyBytes);
                lane.Stage = Stage.List;
                return true;
            case Stage.List:
                ContinueList(ref lane, slot);
                return true;
            case Stage.LookForIgnore:
                slot.WriteLookup(lane.Directory.Node, Absent);
                lane.Stage = Stage.Stat;
                return true;
            default:
                return WriteNextStat(ref lane, slot);
        }
    }

    private static void ContinueList(ref Lane lane, RequestSlot slot)
    {
        ReadOnlySpan<byte> entries = slot.ReadData();
        if (entries.IsEmpty)
        {
            slot.WriteReleaseDir(lane.Directory);
            lane.Stage = Stage.LookForIgnore;
        }
        else
        {
            ulong offset = DirectoryRecord.LastOffset(entries, plus: true);
            slot.WriteReadDir(FuseOpcode.ReadDirPlus, lane.Directory, offset, ReplyBytes);
        }
    }

    private bool WriteNextStat(ref Lane lane, RequestSlot slot)
    {
        if (lane.Stats == BenchTree.WalkFiles)
        {
            return false;
        }

        slot.WriteGetAttr(_files[lane.Index][lane.Stats++]);
        return true;
    }

    private static NodeId[][] FindFiles(FuseClient fuse)
    {
        NodeId tree = BenchNodes.Find(fuse, BenchTree.WalkDirectory);
        return [.. BenchTree.WalkNames.Select(name =>
        {
            NodeId directory = BenchNodes.Find(fuse, tree, name);
            return BenchTree.FileNames.Take(BenchTree.WalkFiles).Select(file => BenchNodes.Find(fuse, directory, file)).ToArray();
        })];
    }

    private struct Lane
    {
        public int Index;
        public Stage Stage;
        public OpenFile Directory;
        public int Stats;
    }
}
