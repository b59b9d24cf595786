using Coherency.Core.Fuse.Abi;

namespace Coherency.Bench.Workloads;

/// <summary>The operations of names, attributes and content.</summary>
internal static class Operations
{
    /// <summary>As much as glibc reads of a directory at a time.</summary>
    private const int ListBytes = 32 * 1024;

    public static IEnumerator<RequestSlot?> GetAttr(WorkloadContext context, Lane lane)
    {
        NodeId[] nodes = context.FindFiles();
        return InTurn(context, lane, nodes.Length, (slot, turn) => slot.WriteGetAttr(nodes[turn]));
    }

    /// <summary>Of files that the daemon knows already.</summary>
    public static IEnumerator<RequestSlot?> Lookup(WorkloadContext context, Lane lane)
    {
        context.FindFiles();
        NodeId directory = context.Find(BenchTree.FilesDirectory);
        return InTurn(context, lane, BenchTree.FileCount, (slot, turn) => slot.WriteLookup(directory, BenchTree.FileNames[turn]));
    }

    /// <summary>Of names that are not there; a daemon says so with ENOENT or with an entry of node 0.</summary>
    public static IEnumerator<RequestSlot?> LookupAbsent(WorkloadContext context, Lane lane)
    {
        NodeId directory = context.Find(BenchTree.FilesDirectory);
        return InTurn(context, lane, BenchTree.FileCount, (slot, turn) => slot.WriteLookup(directory, BenchTree.AbsentNames[turn]));
    }

    public static IEnumerator<RequestSlot?> ReadLink(WorkloadContext context, Lane lane)
    {
        NodeId[] links = context.FindAll(context.Find(BenchTree.LinksDirectory), BenchTree.LinkNames);
        return InTurn(context, lane, links.Length, (slot, turn) => slot.WriteReadLink(links[turn]));
    }

    /// <summary>What Linux asks for before every first write to a file; hardly a file has it.</summary>
    public static IEnumerator<RequestSlot?> GetXattr(WorkloadContext context, Lane lane)
    {
        NodeId[] nodes = context.FindFiles();
        return InTurn(context, lane, nodes.Length, (slot, turn) => slot.WriteGetXattr(nodes[turn], "security.capability"u8));
    }

    public static IEnumerator<RequestSlot?> StatFs(WorkloadContext context, Lane lane) =>
        InTurn(context, lane, 1, (slot, _) => slot.WriteStatFs());

    /// <summary>An operation of one request, on things that are taken in turn.</summary>
    private static IEnumerator<RequestSlot?> InTurn(
        WorkloadContext context, Lane lane, int count, Func<RequestSlot, int, RequestSlot> write)
    {
        Turns turns = context.TakeTurns(count, lane);
        while (true)
        {
            yield return null;
            yield return write(lane.Slot, turns.Next());
        }
    }

    /// <summary>LOOKUP of 1,000 files that the daemon was made to forget: each is given back as soon as it is found.</summary>
    public static IEnumerator<RequestSlot?> LookupCold(WorkloadContext context, Lane lane)
    {
        NodeId directory = context.Find(BenchTree.ColdDirectory);
        Turns turns = context.TakeTurns(BenchTree.FileCount, lane);
        while (true)
        {
            yield return null;
            yield return lane.Slot.WriteLookup(directory, BenchTree.FileNames[turns.Next()]);
            context.Fuse.Forget(lane.Slot.ReadNode(), 1);
        }
    }

    /// <summary>Permissions to and fro, of a file for each lane.</summary>
    public static IEnumerator<RequestSlot?> SetAttr(WorkloadContext context, Lane lane)
    {
        byte[] name = context.ScratchName("setattr", lane);
        NodeId node = context.MakeFile(name);
        try
        {
            for (uint permissions = 0x1A4; ; permissions ^= 0x1A4 ^ 0x180)
            {
                yield return null;
                yield return lane.Slot.WriteSetMode(node, permissions);
            }
        }
        finally
        {
            context.Fuse.Unlink(context.Scratch, name);
        }
    }

    /// <summary>Opens a file, reads its 4 KiB if asked to, closes it; 1,000 files in turn.</summary>
    public static IEnumerator<RequestSlot?> Open(WorkloadContext context, Lane lane, bool reads)
    {
        NodeId[] nodes = context.FindFiles();
        Turns turns = context.TakeTurns(nodes.Length, lane);
        while (true)
        {
            yield return null;
            NodeId node = nodes[turns.Next()];
            yield return lane.Slot.WriteOpen(node);
            OpenedFile file = lane.Slot.ReadOpened(node);
            if (reads)
                yield return lane.Slot.WriteRead(file, offset: 0, BenchTree.FileBytes);
            yield return lane.Slot.WriteRelease(file);
        }
    }

    /// <summary>Reads a directory of 1,000 files from its start to its end.</summary>
    /// <param name="opcode">ReadDir or ReadDirPlus.</param>
    public static IEnumerator<RequestSlot?> ReadDir(WorkloadContext context, Lane lane, FuseOpcode opcode)
    {
        NodeId node = context.Find(BenchTree.FilesDirectory);
        OpenedFile directory = new(node, new FileHandle(context.Fuse.OpenDir(node).fh));
        try
        {
            while (true)
            {
                yield return null;
                for (ulong? offset = 0; offset is { } next; offset = NextOffset(lane.Slot, isPlus: opcode == FuseOpcode.ReadDirPlus))
                    yield return lane.Slot.WriteReadDir(opcode, directory, next, ListBytes);
            }
        }
        finally
        {
            context.Fuse.ReleaseDir(directory.Node, directory.Handle);
        }
    }

    /// <summary>Makes a file, removes its name, closes it, forgets it.</summary>
    public static IEnumerator<RequestSlot?> CreateUnlink(WorkloadContext context, Lane lane)
    {
        NodeId parent = context.Scratch;
        byte[] name = context.ScratchName("create", lane);
        while (true)
        {
            yield return null;
            yield return lane.Slot.WriteCreate(parent, name);
            OpenedFile file = lane.Slot.ReadCreated();
            yield return lane.Slot.WriteUnlink(parent, name);
            yield return lane.Slot.WriteRelease(file);
            context.Fuse.Forget(file.Node, 1);
        }
    }

    /// <summary>Makes a directory and removes it.</summary>
    public static IEnumerator<RequestSlot?> MkDirRmDir(WorkloadContext context, Lane lane)
    {
        NodeId parent = context.Scratch;
        byte[] name = context.ScratchName("mkdir", lane);
        while (true)
        {
            yield return null;
            yield return lane.Slot.WriteMkDir(parent, name);
            NodeId made = lane.Slot.ReadNode();
            yield return lane.Slot.WriteRmDir(parent, name);
            context.Fuse.Forget(made, 1);
        }
    }

    /// <summary>Renames a file to and fro: one request each time.</summary>
    public static IEnumerator<RequestSlot?> Rename(WorkloadContext context, Lane lane)
    {
        NodeId parent = context.Scratch;
        byte[] here = context.ScratchName("rename-a", lane);
        byte[] there = context.ScratchName("rename-b", lane);
        context.MakeFile(here);
        try
        {
            while (true)
            {
                yield return null;
                yield return lane.Slot.WriteRename(parent, here, there);
                (here, there) = (there, here);
            }
        }
        finally
        {
            context.Fuse.Unlink(parent, here);
        }
    }

    /// <summary>Gives a file a second name and takes it away.</summary>
    public static IEnumerator<RequestSlot?> LinkUnlink(WorkloadContext context, Lane lane)
    {
        NodeId parent = context.Scratch;
        byte[] name = context.ScratchName("link-file", lane);
        byte[] link = context.ScratchName("link-name", lane);
        NodeId node = context.MakeFile(name);
        try
        {
            while (true)
            {
                yield return null;
                yield return lane.Slot.WriteLink(node, parent, link);
                yield return lane.Slot.WriteUnlink(parent, link);
                // LINK's reply is a lookup as well; the reference of the file's making stays.
                context.Fuse.Forget(node, 1);
            }
        }
        finally
        {
            context.Fuse.Unlink(parent, name);
        }
    }

    /// <summary>A stat by path of a guest that has nothing cached: LOOKUP of the directory, LOOKUP of the file, GETATTR.</summary>
    public static IEnumerator<RequestSlot?> StatStorm(WorkloadContext context, Lane lane)
    {
        Turns turns = context.TakeTurns(BenchTree.FileCount, lane);
        while (true)
        {
            yield return null;
            yield return lane.Slot.WriteLookup(NodeId.Root, BenchTree.FilesDirectory);
            yield return lane.Slot.WriteLookup(lane.Slot.ReadNode(), BenchTree.FileNames[turns.Next()]);
            yield return lane.Slot.WriteGetAttr(lane.Slot.ReadNode());
        }
    }

    /// <summary>
    /// One directory of what <c>git status</c> does: finds it, lists it with attributes, looks for a .gitignore that is not there,
    /// and stats each of its 20 files.
    /// </summary>
    public static IEnumerator<RequestSlot?> GitWalk(WorkloadContext context, Lane lane)
    {
        NodeId tree = context.Find(BenchTree.WalkDirectory);
        NodeId[][] files =
            [.. context.FindAll(tree, BenchTree.WalkNames).Select(found => context.FindAll(found, BenchTree.WalkFileNames))];
        Turns turns = context.TakeTurns(BenchTree.WalkDirectories, lane);
        while (true)
        {
            yield return null;
            int index = turns.Next();
            yield return lane.Slot.WriteLookup(tree, BenchTree.WalkNames[index]);
            NodeId node = lane.Slot.ReadNode();
            yield return lane.Slot.WriteOpenDir(node);
            OpenedFile directory = lane.Slot.ReadOpened(node);
            for (ulong? offset = 0; offset is { } next; offset = NextOffset(lane.Slot, isPlus: true))
                yield return lane.Slot.WriteReadDir(FuseOpcode.ReadDirPlus, directory, next, ListBytes);
            yield return lane.Slot.WriteReleaseDir(directory);
            yield return lane.Slot.WriteLookup(node, ".gitignore"u8);
            foreach (NodeId file in files[index])
                yield return lane.Slot.WriteGetAttr(file);
        }
    }

    /// <summary>
    /// What compiling one source does: looks for each of 8 headers along 4 directories and misses it in those before its own, opens,
    /// reads and closes it; then makes the object file, writes it and closes it. The object is removed for the next time.
    /// </summary>
    public static IEnumerator<RequestSlot?> Build(WorkloadContext context, Lane lane)
    {
        NodeId parent = context.Scratch;
        NodeId[] includes = context.FindAll(NodeId.Root, BenchTree.IncludeNames);
        byte[] name = context.ScratchName("object", lane);
        while (true)
        {
            yield return null;
            for (int header = 0; header < BenchTree.Headers; header++)
            {
                int directory = 0;
                do
                {
                    yield return lane.Slot.WriteLookup(includes[directory++], BenchTree.HeaderNames[header]);
                }
                while (IsMiss(lane.Slot));

                NodeId node = lane.Slot.ReadNode();
                yield return lane.Slot.WriteOpen(node);
                OpenedFile read = lane.Slot.ReadOpened(node);
                yield return lane.Slot.WriteRead(read, offset: 0, BenchTree.FileBytes);
                yield return lane.Slot.WriteRelease(read);
            }

            yield return lane.Slot.WriteCreate(parent, name);
            OpenedFile made = lane.Slot.ReadCreated();
            yield return lane.Slot.WriteWrite(made, offset: 0, BenchTree.FileBytes);
            yield return lane.Slot.WriteRelease(made);
            yield return lane.Slot.WriteUnlink(parent, name);
            context.Fuse.Forget(made.Node, 1);
        }
    }

    /// <summary>
    /// Writes a file, writes a second one under a temporary name and renames it over the first, as editors and package managers do;
    /// then removes it.
    /// </summary>
    public static IEnumerator<RequestSlot?> ReplaceStorm(WorkloadContext context, Lane lane)
    {
        NodeId parent = context.Scratch;
        byte[] name = context.ScratchName("target", lane);
        byte[] temporary = context.ScratchName("temporary", lane);
        while (true)
        {
            yield return null;
            yield return lane.Slot.WriteCreate(parent, name);
            OpenedFile first = lane.Slot.ReadCreated();
            yield return lane.Slot.WriteWrite(first, offset: 0, BenchTree.FileBytes);
            yield return lane.Slot.WriteRelease(first);
            yield return lane.Slot.WriteCreate(parent, temporary);
            OpenedFile second = lane.Slot.ReadCreated();
            yield return lane.Slot.WriteWrite(second, offset: 0, BenchTree.FileBytes);
            yield return lane.Slot.WriteRelease(second);
            yield return lane.Slot.WriteRename(parent, temporary, name);
            yield return lane.Slot.WriteUnlink(parent, name);
            context.Fuse.Forget(first.Node, 1);
            context.Fuse.Forget(second.Node, 1);
        }
    }

    /// <summary>
    /// Delivers a message as a mail server does and reads it once: writes it under a temporary name, fsync, rename; then finds,
    /// opens and reads it, and removes it.
    /// </summary>
    public static IEnumerator<RequestSlot?> Mail(WorkloadContext context, Lane lane)
    {
        const ulong CreateAndLookup = 2;
        NodeId parent = context.Scratch;
        byte[] incoming = context.ScratchName("incoming", lane);
        byte[] message = context.ScratchName("message", lane);
        while (true)
        {
            yield return null;
            yield return lane.Slot.WriteCreate(parent, incoming);
            OpenedFile written = lane.Slot.ReadCreated();
            yield return lane.Slot.WriteWrite(written, offset: 0, BenchTree.FileBytes);
            yield return lane.Slot.WriteFsync(written);
            yield return lane.Slot.WriteRelease(written);
            yield return lane.Slot.WriteRename(parent, incoming, message);
            yield return lane.Slot.WriteLookup(parent, message);
            NodeId node = lane.Slot.ReadNode();
            yield return lane.Slot.WriteOpen(node);
            OpenedFile read = lane.Slot.ReadOpened(node);
            yield return lane.Slot.WriteRead(read, offset: 0, BenchTree.FileBytes);
            yield return lane.Slot.WriteRelease(read);
            yield return lane.Slot.WriteUnlink(parent, message);
            context.Fuse.Forget(node, CreateAndLookup);
        }
    }

    /// <summary>Reads a large file.</summary>
    public static IEnumerator<RequestSlot?> Read(WorkloadContext context, Lane lane, StreamOrder order) =>
        OnStream(context, lane, order, (slot, file, offset) => slot.WriteRead(file, offset, order.Bytes));

    /// <summary>Overwrites a large file.</summary>
    public static IEnumerator<RequestSlot?> Write(WorkloadContext context, Lane lane, StreamOrder order) =>
        OnStream(context, lane, order, (slot, file, offset) => slot.WriteWrite(file, offset, order.Bytes));

    /// <summary>Of a file with nothing to write back: what the request itself costs.</summary>
    public static IEnumerator<RequestSlot?> Fsync(WorkloadContext context, Lane lane) =>
        OnStream(context, lane, StreamOrder.Sequential, (slot, file, _) => slot.WriteFsync(file));

    private static IEnumerator<RequestSlot?> OnStream(
        WorkloadContext context, Lane lane, StreamOrder order, Func<RequestSlot, OpenedFile, ulong, RequestSlot> write)
    {
        NodeId node = context.Find(BenchTree.StreamFile);
        OpenedFile file = new(node, new FileHandle(context.Fuse.Open(node, OpenFlags.O_RDWR).fh));
        Turns turns = new(lane.Number * order.Stride, context.Lanes * order.Stride, BenchTree.StreamBytes / order.Bytes);
        try
        {
            while (true)
            {
                yield return null;
                yield return write(lane.Slot, file, (ulong)turns.Next() * (ulong)order.Bytes);
            }
        }
        finally
        {
            context.Fuse.Release(file.Node, file.Handle);
        }
    }

    /// <summary>Where the rest of a listing begins; null behind its end, which is an empty reply.</summary>
    private static ulong? NextOffset(RequestSlot slot, bool isPlus)
    {
        ReadOnlySpan<byte> entries = slot.ReadData();
        return entries.IsEmpty ? null : DirectoryRecord.LastOffset(entries, isPlus);
    }

    /// <summary>ENOENT, or an entry of node 0, which may be cached.</summary>
    private static bool IsMiss(RequestSlot slot) => slot.ReadError() != Errno.None || slot.ReadReply<fuse_entry_out>().nodeid == 0;
}

/// <summary>How a large file is gone through.</summary>
/// <param name="Bytes">Of a request.</param>
/// <param name="Stride">From one request to the next, in requests.</param>
internal sealed record StreamOrder(int Bytes, int Stride)
{
    /// <summary>1 MiB a request, from the file's start to its end and again.</summary>
    public static readonly StreamOrder Sequential = new(1 << 20, Stride: 1);

    /// <summary>
    /// 4 KiB a request, all over the file: with no factor in common with the number of pages, each comes once before any twice.
    /// </summary>
    public static readonly StreamOrder Scattered = new(4096, Stride: 6151);
}
