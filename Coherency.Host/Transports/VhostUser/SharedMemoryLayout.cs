using System.Numerics;

namespace Coherency.Host.Transports.VhostUser;

/// <summary>
/// The two shared memory regions of a device (VIRTIO 1.2, 5.11.6.4): the DAX window and, behind it, the version table; bytes. QEMU 11.1
/// wants their sum to be a power of two. Linux cuts the window into ranges of 2 MiB, and probes none whose address or size is not
/// whole ranges (mm/memory_hotplug.c, check_pfn_span).
/// </summary>
/// <param name="WindowBytes">0 for no window.</param>
/// <param name="TableBytes">The table and what is not used behind it.</param>
public readonly record struct SharedMemoryLayout(long WindowBytes, long TableBytes)
{
    /// <summary>FUSE_DAX_SZ of Linux.</summary>
    public const long RangeBytes = 2 << 20;

    /// <summary>
    /// Each range that is mapped takes one of the 509 regions that a vhost-user device may have: the rest is for the guest's own memory.
    /// </summary>
    public const int RangesMax = 496;

    /// <summary>The smallest sum: half of it for the window.</summary>
    /// <param name="tableBytes">Of the table, a power of two.</param>
    public static long SumMin(long tableBytes) => 2 * Math.Max(tableBytes, RangeBytes);

    /// <summary>The largest sum that has a use: beyond it there would be ranges that can never be mapped.</summary>
    /// <param name="tableBytes">As of <see cref="SumMin"/>.</param>
    public static long SumMax(long tableBytes) =>
        Math.Max(SumMin(tableBytes), (long)BitOperations.RoundUpToPowerOf2((ulong)(RangesMax * RangeBytes)));

    public static bool IsPossible(long sum, long tableBytes) =>
        BitOperations.IsPow2(sum) && sum >= SumMin(tableBytes) && sum <= SumMax(tableBytes);

    /// <summary>The possible sum that is nearest to one that is not.</summary>
    public static long Nearest(long sum, long tableBytes)
    {
        long above = (long)BitOperations.RoundUpToPowerOf2((ulong)Math.Max(sum, 1));
        long nearest = above - sum <= sum - (above / 2) ? above : above / 2;
        return Math.Clamp(nearest, SumMin(tableBytes), SumMax(tableBytes));
    }

    /// <summary>What a sum that <see cref="IsPossible"/> is divided into.</summary>
    public static SharedMemoryLayout Of(long sum, long tableBytes)
    {
        long window = Math.Min(sum - Math.Max(tableBytes, RangeBytes), RangesMax * RangeBytes);
        return new SharedMemoryLayout(window, sum - window);
    }

    /// <summary>A table, and no window.</summary>
    public static SharedMemoryLayout OfTable(long tableBytes) => new(0, tableBytes);
}
