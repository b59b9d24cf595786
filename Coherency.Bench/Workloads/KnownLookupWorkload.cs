using Coherency.Core.Fuse;
using Coherency.Guest.Fuse;

namespace Coherency.Bench.Workloads;

/// <summary>LOOKUP of files that the daemon knows, in an order that no cache of a processor can follow.</summary>
/// <param name="directories">Looked up with all their files.</param>
internal sealed class KnownLookupWorkload(NodeId[] directories) : IWorkload
{
    private uint _state = 1;

    public bool WriteNext(int lane, int step, RequestSlot slot)
    {
        if (step > 0)
        {
            return false;
        }

        // A linear congruential generator; the upper bits of its state are the random ones.
        _state = (_state * 1664525) + 1013904223;
        ulong pick = (ulong)_state * ((ulong)directories.Length * InodeTree.FilesPerDirectory) >> 32;
        slot.WriteLookup(directories[pick / InodeTree.FilesPerDirectory], BenchTree.FileNames[(int)(pick % InodeTree.FilesPerDirectory)]);
        return true;
    }

    public void Finish()
    {
        // References add up in a counter of the daemon and cost nothing.
    }
}
