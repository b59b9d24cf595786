using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Guest.Fuse;

namespace Coherency.Bench.Workloads;

/// <summary>The nodes of the small files, looked up once and kept.</summary>
internal static class FileNodes
{
    public static NodeId LookUpDirectory(FuseClient fuse) => new(fuse.Lookup(NodeId.Root, BenchTree.FilesDirectory).nodeid);

    public static NodeId[] LookUpAll(FuseClient fuse)
    {
        NodeId directory = LookUpDirectory(fuse);
        return [.. BenchTree.FileNames.Select(name => new NodeId(fuse.Lookup(directory, name).nodeid))];
    }
}

/// <summary>GETATTR of 1,000 files in turn.</summary>
internal sealed class GetAttrWorkload(FuseClient fuse) : IWorkload
{
    private readonly NodeId[] _nodes = FileNodes.LookUpAll(fuse);
    private int _next;

    public bool WriteNext(int lane, int step, RequestSlot slot)
    {
        if (step > 0)
        {
            return false;
        }

        slot.Begin(FuseOpcode.GetAttr, _nodes[_next++ % _nodes.Length], CallerIdentity.Root);
        slot.Argument(default(fuse_getattr_in));
        slot.ExpectReply<fuse_attr_out>();
        return true;
    }

    public void Finish()
    {
        // Looked-up nodes stay: every row finds the daemon with the same ones known.
    }
}

/// <summary>LOOKUP of 1,000 files that the daemon knows already, in turn.</summary>
internal sealed class LookupWorkload(FuseClient fuse) : IWorkload
{
    private readonly NodeId _directory = WarmUp(fuse);
    private int _next;

    public bool WriteNext(int lane, int step, RequestSlot slot)
    {
        if (step > 0)
        {
            return false;
        }

        slot.Begin(FuseOpcode.Lookup, _directory, CallerIdentity.Root);
        slot.Name(BenchTree.FileNames[_next++ % BenchTree.FileCount]);
        slot.ExpectReply<fuse_entry_out>();
        return true;
    }

    public void Finish()
    {
        // References add up in a counter of the daemon and cost nothing.
    }

    private static NodeId WarmUp(FuseClient fuse)
    {
        FileNodes.LookUpAll(fuse);
        return FileNodes.LookUpDirectory(fuse);
    }
}

/// <summary>Makes a file, removes its name, closes it, forgets it.</summary>
internal sealed class CreateUnlinkWorkload(FuseClient fuse, int lanes) : IWorkload
{
    private readonly NodeId _directory = new(fuse.Lookup(NodeId.Root, BenchTree.ScratchDirectory).nodeid);
    private readonly byte[][] _names = [.. Enumerable.Range(0, lanes).Select(lane => (byte[])BenchTree.FileNames[lane].Clone())];
    private readonly (NodeId Node, FileHandle Handle)[] _files = new (NodeId, FileHandle)[lanes];

    public bool WriteNext(int lane, int step, RequestSlot slot)
    {
        switch (step)
        {
            case 0: WriteCreate(lane, slot); return true;
            case 1: RememberFile(lane, slot); WriteUnlink(lane, slot); return true;
            case 2: WriteRelease(lane, slot); return true;
            default: fuse.Forget(_files[lane].Node, 1); return false;
        }
    }

    public void Finish() => fuse.DrainForgets();

    private void WriteCreate(int lane, RequestSlot slot)
    {
        const uint Mode = 0x81A4;
        slot.Begin(FuseOpcode.Create, _directory, CallerIdentity.Root);
        slot.Argument(new fuse_create_in { flags = CreateFlags, mode = Mode });
        slot.Name(_names[lane]);
        slot.ExpectReply<fuse_entry_out>();
        slot.ExpectMore<fuse_open_out>();
    }

    private const uint CreateFlags = Core.Linux.OpenFlags.O_RDWR | Core.Linux.OpenFlags.O_CREAT | Core.Linux.OpenFlags.O_EXCL;

    private unsafe void RememberFile(int lane, RequestSlot slot)
    {
        NodeId node = new(slot.ReadReply<fuse_entry_out>().nodeid);
        _files[lane] = (node, new FileHandle(slot.ReadReply<fuse_open_out>(sizeof(fuse_entry_out)).fh));
    }

    private void WriteUnlink(int lane, RequestSlot slot)
    {
        slot.Begin(FuseOpcode.Unlink, _directory, CallerIdentity.Root);
        slot.Name(_names[lane]);
        slot.ExpectReply();
    }

    private void WriteRelease(int lane, RequestSlot slot)
    {
        slot.Begin(FuseOpcode.Release, _files[lane].Node, CallerIdentity.Root);
        slot.Argument(new fuse_release_in { fh = _files[lane].Handle.Value });
        slot.ExpectReply();
    }
}

/// <summary>Reads a directory of 1,000 files with attributes from its start to its end, 32 KiB a request as glibc does.</summary>
internal sealed class ReadDirPlusWorkload : IWorkload
{
    private const int ReplyBytes = 32 * 1024;

    private readonly FuseClient _fuse;
    private readonly NodeId _directory;
    private readonly FileHandle[] _handles;

    public ReadDirPlusWorkload(FuseClient fuse, int lanes)
    {
        _fuse = fuse;
        _directory = FileNodes.LookUpDirectory(fuse);
        _handles = [.. Enumerable.Range(0, lanes).Select(_ => new FileHandle(fuse.OpenDir(_directory).fh))];
    }

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

            offset = DirectoryRecord.LastOffset(entries, plus: true);
        }

        slot.Begin(FuseOpcode.ReadDirPlus, _directory, CallerIdentity.Root);
        slot.Argument(new fuse_read_in { fh = _handles[lane].Value, offset = offset, size = ReplyBytes });
        slot.ExpectData(ReplyBytes);
        return true;
    }

    public void Finish()
    {
        foreach (FileHandle handle in _handles)
        {
            _fuse.ReleaseDir(_directory, handle);
        }
    }
}
