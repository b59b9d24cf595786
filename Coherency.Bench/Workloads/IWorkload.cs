using Coherency.Core.Fuse;
using Coherency.Guest.Fuse;

namespace Coherency.Bench.Workloads;

/// <summary>
/// One row of the table: an operation that a client repeats, made of one or more requests. At depth N there are N lanes, each
/// at its own operation; a lane's next request is written when the reply to the one before is in its slot.
/// </summary>
public interface IWorkload
{
    /// <summary>
    /// Writes the lane's next request, or returns false when the operation is complete. Called with step 0 to begin; from then
    /// on the slot holds the successful reply to the request before. Must not allocate.
    /// </summary>
    bool WriteNext(int lane, int step, RequestSlot slot);

    /// <summary>Gives back what the lanes hold.</summary>
    void Finish();
}

/// <summary>A row: its name on the command line and in the table, and how its workload comes to be.</summary>
/// <param name="Name">Short, for <c>--rows</c>.</param>
/// <param name="Title">For the table.</param>
/// <param name="Create">Prepares the share for so many lanes; the tree was laid out by <see cref="BenchTree"/>.</param>
public sealed record WorkloadRow(string Name, string Title, Func<FuseClient, int, IWorkload> Create)
{
    /// <summary>All rows, in the order of the table.</summary>
    public static readonly IReadOnlyList<WorkloadRow> All =
    [
        new("getattr", "GETATTR", (fuse, _) => new GetAttrWorkload(fuse)),
        new("lookup", "LOOKUP", (fuse, _) => new LookupWorkload(fuse)),
        new("open-read", "OPEN + READ 4 KiB + RELEASE", (fuse, lanes) => new OpenReadWorkload(fuse, lanes)),
        new("create-unlink", "CREATE + UNLINK + RELEASE", (fuse, lanes) => new CreateUnlinkWorkload(fuse, lanes)),
        new("readdirplus", "READDIRPLUS of 1,000 entries", (fuse, lanes) => new ReadDirPlusWorkload(fuse, lanes)),
        new("seq-read", "READ 1 MiB, sequential", (fuse, _) => new StreamWorkload(fuse, FuseOpcode.Read)),
        new("seq-write", "WRITE 1 MiB, sequential", (fuse, _) => new StreamWorkload(fuse, FuseOpcode.Write)),
    ];
}
