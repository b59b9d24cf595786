using System.Globalization;
using System.Text;
using Coherency.Core.Fuse;
using Coherency.Guest.Fuse;

namespace Coherency.Bench.Workloads;

/// <summary>Nodes of the tree, looked up when a workload is prepared. References add up in a counter of the daemon and cost nothing.</summary>
internal static class BenchNodes
{
    public static NodeId Find(FuseClient fuse, ReadOnlySpan<byte> name) => Find(fuse, NodeId.Root, name);

    public static NodeId Find(FuseClient fuse, NodeId parent, ReadOnlySpan<byte> name) => new(fuse.Lookup(parent, name).nodeid);

    /// <summary>The nodes of the 1,000 small files.</summary>
    public static NodeId[] FindFiles(FuseClient fuse)
    {
        NodeId directory = Find(fuse, BenchTree.FilesDirectory);
        return [.. BenchTree.FileNames.Select(name => Find(fuse, directory, name))];
    }

    /// <summary>A name for each lane that no other lane of any driver has.</summary>
    public static byte[][] ScratchNames(WorkloadContext context, string prefix) =>
        [.. Enumerable.Range(0, context.Lanes).Select(lane => Encoding.UTF8.GetBytes(
            string.Create(CultureInfo.InvariantCulture, $"{prefix}-{context.Driver}-{lane}")))];

    /// <summary>Makes an empty file for each lane and closes it.</summary>
    public static NodeId[] MakeFiles(WorkloadContext context, NodeId directory, byte[][] names)
    {
        const uint Mode = 0x1A4;
        return [.. names.Select(name =>
        {
            CreatedFile file = context.Fuse.Create(directory, name, Core.Linux.OpenFlags.O_RDWR, Mode);
            context.Fuse.Release(file.Node, file.Handle);
            return file.Node;
        })];
    }
}
