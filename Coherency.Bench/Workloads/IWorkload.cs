using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Guest.Fuse;

namespace Coherency.Bench.Workloads;

/// <summary>
/// An operation that a client repeats, made of one or more requests. At depth N there are N lanes, each at its own operation; a
/// lane's next request is written when the reply to the one before is in its slot.
/// </summary>
internal interface IWorkload
{
    /// <summary>
    /// Writes the lane's next request, or returns false when the operation is complete. Called with step 0 to begin; from then
    /// on the slot holds the reply to the request before. Must not allocate.
    /// </summary>
    bool WriteNext(int lane, int step, RequestSlot slot);

    /// <summary>Is that error an answer that the operation counts on? Any other ends the measurement.</summary>
    bool Permits(FuseOpcode opcode, Errno errno) => false;

    /// <summary>Gives back what the lanes hold.</summary>
    void Finish();
}

/// <summary>Where a workload works.</summary>
/// <param name="Fuse">The guest; requests to prepare the workload go through it, before and after measuring.</param>
/// <param name="Lanes">Operations in flight.</param>
/// <param name="Driver">Number of the thread that drives it, over all guests and queues: names that a workload makes hold it, since all work in one tree.</param>
internal sealed record WorkloadContext(FuseClient Fuse, int Lanes, int Driver);
