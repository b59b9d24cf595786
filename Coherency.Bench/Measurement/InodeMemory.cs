using System.Text;
using Coherency.Bench.Contenders;
using Coherency.Bench.Workloads;
using Coherency.Core.Fuse;
using Coherency.Guest.Fuse;

namespace Coherency.Bench.Measurement;

/// <summary>
/// Looks up many files and sees what the daemon grew by. A first directory is looked up beforehand, so that code and buffers
/// that come with the first requests are not counted.
/// </summary>
public static class InodeMemory
{
    /// <summary>Lets a daemon's own housekeeping settle before its memory is read.</summary>
    private static readonly TimeSpan Settle = TimeSpan.FromMilliseconds(200);

    public static MemoryResult Measure(ContenderSession session, int inodes)
    {
        FuseClient fuse = session.Fuse;
        NodeId parent = new(fuse.Lookup(NodeId.Root, BenchTree.InodesDirectory).nodeid);
        int directories = inodes / BenchTree.InodesPerDirectory;
        LookUpDirectory(fuse, parent, 0);

        ProcessUsage before = ReadSettled(session);
        for (int i = 1; i < directories; i++)
        {
            LookUpDirectory(fuse, parent, i);
        }

        ProcessUsage after = ReadSettled(session);
        int counted = (directories - 1) * BenchTree.InodesPerDirectory;
        double bytes = after.AnonymousBytes - before.AnonymousBytes;
        return new MemoryResult(session.Contender.Name, counted, bytes / counted, after.OpenFiles - before.OpenFiles);
    }

    private static void LookUpDirectory(FuseClient fuse, NodeId parent, int index)
    {
        NodeId directory = new(fuse.Lookup(parent, Encoding.UTF8.GetBytes(BenchTree.DirectoryName(index))).nodeid);
        foreach (byte[] name in BenchTree.FileNames)
        {
            fuse.Lookup(directory, name);
        }
    }

    private static ProcessUsage ReadSettled(ContenderSession session)
    {
        Thread.Sleep(Settle);
        return ProcessUsage.Read(session.ProcessIds);
    }
}
