using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Guest.Fuse;

namespace Coherency.Bench.Workloads;

/// <summary>Operations on a name or an inode that are one request each, on 1,000 files in turn.</summary>
internal static class AttributeWorkloads
{
    /// <summary>What Linux asks for before every first write to a file; hardly a file has it.</summary>
    private static ReadOnlySpan<byte> XattrName => "security.capability"u8;

    public static IWorkload GetAttr(WorkloadContext context)
    {
        NodeId[] nodes = BenchNodes.FindFiles(context.Fuse);
        return new SingleRequestWorkload((slot, _, turn) => slot.WriteGetAttr(nodes[turn % nodes.Length]));
    }

    /// <summary>Of files that the daemon knows already.</summary>
    public static IWorkload Lookup(WorkloadContext context)
    {
        BenchNodes.FindFiles(context.Fuse);
        NodeId directory = BenchNodes.Find(context.Fuse, BenchTree.FilesDirectory);
        return new SingleRequestWorkload((slot, _, turn) => slot.WriteLookup(directory, BenchTree.FileNames[turn % BenchTree.FileCount]));
    }

    /// <summary>Of names that are not there; a daemon says so with ENOENT or with an entry of node 0.</summary>
    public static IWorkload LookupAbsent(WorkloadContext context)
    {
        NodeId directory = BenchNodes.Find(context.Fuse, BenchTree.FilesDirectory);
        return new SingleRequestWorkload(
            (slot, _, turn) => slot.WriteLookup(directory, BenchTree.AbsentNames[turn % BenchTree.FileCount]),
            permitted: Errno.ENOENT);
    }

    public static IWorkload ReadLink(WorkloadContext context)
    {
        NodeId[] links = FindLinks(context.Fuse);
        return new SingleRequestWorkload((slot, _, turn) => slot.WriteReadLink(links[turn % links.Length]));
    }

    /// <summary>Permissions to and fro, of a file for each lane.</summary>
    public static IWorkload SetAttr(WorkloadContext context)
    {
        NodeId directory = BenchNodes.Find(context.Fuse, BenchTree.ScratchDirectory);
        byte[][] names = BenchNodes.ScratchNames(context, "setattr");
        NodeId[] nodes = BenchNodes.MakeFiles(context, directory, names);
        return new SingleRequestWorkload(
            (slot, lane, turn) => slot.WriteSetMode(nodes[lane], Permissions(turn)),
            finish: () => Array.ForEach(names, name => context.Fuse.Unlink(directory, name)));
    }

    public static IWorkload GetXattr(WorkloadContext context)
    {
        NodeId[] nodes = BenchNodes.FindFiles(context.Fuse);
        return new SingleRequestWorkload(
            (slot, _, turn) => slot.WriteGetXattr(nodes[turn % nodes.Length], XattrName),
            permitted: Errno.ENODATA);
    }

    public static IWorkload StatFs(WorkloadContext context) => new SingleRequestWorkload((slot, _, _) => slot.WriteStatFs());

    private static NodeId[] FindLinks(FuseClient fuse)
    {
        NodeId directory = BenchNodes.Find(fuse, BenchTree.LinksDirectory);
        return [.. BenchTree.LinkNames.Select(name => BenchNodes.Find(fuse, directory, name))];
    }

    private static uint Permissions(int turn) => (turn & 1) == 0 ? 0x1A4u : 0x180u;
}

/// <summary>LOOKUP of 1,000 files that the daemon was made to forget: each is given back as soon as it is found.</summary>
internal sealed class ColdLookupWorkload(WorkloadContext context) : IWorkload
{
    private readonly NodeId _directory = BenchNodes.Find(context.Fuse, BenchTree.ColdDirectory);
    private int _next = context.Driver * 97;

    public bool WriteNext(int lane, int step, RequestSlot slot)
    {
        if (step > 0)
        {
            context.Fuse.Forget(slot.ReadNode(), 1);
            return false;
        }

        slot.WriteLookup(_directory, BenchTree.FileNames[(_next++ & int.MaxValue) % BenchTree.FileCount]);
        return true;
    }

    public void Finish() => context.Fuse.DrainForgets();
}
