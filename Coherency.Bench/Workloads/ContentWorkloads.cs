using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Guest.Fuse;

namespace Coherency.Bench.Workloads;

/// <summary>Opens a file, reads its 4 KiB if asked to, closes it; 1,000 files in turn.</summary>
internal sealed class OpenWorkload(WorkloadContext context, bool reads) : IWorkload
{
    private readonly NodeId[] _nodes = BenchNodes.FindFiles(context.Fuse);
    private readonly OpenFile[] _open = new OpenFile[context.Lanes];
    private int _next;

    public bool WriteNext(int lane, int step, RequestSlot slot)
    {
        switch (step)
        {
            case 0:
                _open[lane] = new OpenFile(_nodes[(_next++ & int.MaxValue) % _nodes.Length], default);
                slot.WriteOpen(_open[lane].Node);
                return true;
            case 1:
                _open[lane] = slot.ReadOpened(_open[lane].Node);
                WriteAfterOpen(lane, slot);
                return true;
            case 2 when reads:
                slot.WriteRelease(_open[lane]);
                return true;
            default:
                return false;
        }
    }

    public void Finish()
    {
        // Every operation closes what it opened.
    }

    private void WriteAfterOpen(int lane, RequestSlot slot)
    {
        if (reads)
        {
            slot.WriteRead(_open[lane], offset: 0, BenchTree.FileBytes);
        }
        else
        {
            slot.WriteRelease(_open[lane]);
        }
    }
}

/// <summary>Reads a directory of 1,000 files from its start to its end, 32 KiB a request as glibc does.</summary>
/// <param name="opcode">ReadDir or ReadDirPlus.</param>
internal sealed class ReadDirWorkload(WorkloadContext context, FuseOpcode opcode) : IWorkload
{
    private const int ReplyBytes = 32 * 1024;

    private readonly OpenFile[] _open = OpenForEachLane(context);

    public bool WriteNext(int lane, int step, RequestSlot slot)
    {
        ulong offset = 0;
        if (step > 0)
        {
            ReadOnlySpan<byte> entries = slot.ReadData();
            if (entries.IsEmpty)
            {
                return false;
            }

            offset = DirectoryRecord.LastOffset(entries, plus: opcode == FuseOpcode.ReadDirPlus);
        }

        slot.WriteReadDir(opcode, _open[lane], offset, ReplyBytes);
        return true;
    }

    public void Finish() => Array.ForEach(_open, directory => context.Fuse.ReleaseDir(directory.Node, directory.Handle));

    private static OpenFile[] OpenForEachLane(WorkloadContext context)
    {
        NodeId directory = BenchNodes.Find(context.Fuse, BenchTree.FilesDirectory);
        return [.. Enumerable.Range(0, context.Lanes).Select(_ => new OpenFile(directory, new FileHandle(context.Fuse.OpenDir(directory).fh)))];
    }
}

/// <summary>Reads, overwrites or syncs one large file.</summary>
internal static class StreamWorkloads
{
    private const int PageBytes = 4096;
    private const int StreamBytes = 1 << 20;

    /// <summary>1 MiB a request, from the file's start to its end and again.</summary>
    public static IWorkload ReadSequentially(WorkloadContext context) =>
        Create(context, (slot, file, turn) => slot.WriteRead(file, SequentialOffset(turn), StreamBytes));

    /// <inheritdoc cref="ReadSequentially"/>
    public static IWorkload WriteSequentially(WorkloadContext context) =>
        Create(context, (slot, file, turn) => slot.WriteWrite(file, SequentialOffset(turn), StreamBytes));

    /// <summary>4 KiB a request, all over the file.</summary>
    public static IWorkload ReadPages(WorkloadContext context) =>
        Create(context, (slot, file, turn) => slot.WriteRead(file, ScatteredOffset(turn), PageBytes));

    /// <inheritdoc cref="ReadPages"/>
    public static IWorkload WritePages(WorkloadContext context) =>
        Create(context, (slot, file, turn) => slot.WriteWrite(file, ScatteredOffset(turn), PageBytes));

    /// <summary>Of a file with nothing to write back: what the request itself costs.</summary>
    public static IWorkload Fsync(WorkloadContext context) => Create(context, (slot, file, _) => slot.WriteFsync(file));

    private static SingleRequestWorkload Create(WorkloadContext context, Action<RequestSlot, OpenFile, int> write)
    {
        NodeId node = BenchNodes.Find(context.Fuse, BenchTree.StreamFile);
        OpenFile file = new(node, new FileHandle(context.Fuse.Open(node, OpenFlags.O_RDWR).fh));
        return new SingleRequestWorkload((slot, _, turn) => write(slot, file, turn), finish: () => context.Fuse.Release(file.Node, file.Handle));
    }

    private static ulong SequentialOffset(int turn) => (ulong)((long)turn * StreamBytes % BenchTree.StreamBytes);

    /// <summary>A stride without a common factor with the number of pages visits each page once before any twice.</summary>
    private static ulong ScatteredOffset(int turn)
    {
        const int Stride = 6151;
        return (ulong)((long)turn * Stride % (BenchTree.StreamBytes / PageBytes)) * PageBytes;
    }
}
