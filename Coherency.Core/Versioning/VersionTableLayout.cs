using System.Numerics;
using System.Text;
using Coherency.Core.Versioning.Abi;

namespace Coherency.Core.Versioning;

/// <summary>Where things are in a version table, and what a header must look like (docs/version-table.md, "The memory").</summary>
public static unsafe class VersionTableLayout
{
    /// <summary>2 MiB of slots.</summary>
    public const int DefaultSlotCount = 1 << 18;

    /// <summary>What a change adds to each of its slots when it begins: one more writer.</summary>
    public const ulong BeginStep = 1;

    /// <summary>And when it has ended: one writer less, one version on.</summary>
    public const ulong EndStep = MoveStep - BeginStep;

    /// <summary>One version on.</summary>
    public const ulong MoveStep = 1UL << VersionTableConstants.VersionShift;

    /// <summary>Of the mount's root: reading it is the attach handshake, removing it the detach (COHERENCY_ATTACH_XATTR).</summary>
    public static ReadOnlySpan<byte> AttachAttribute => "trusted.coherency.attach"u8;

    /// <summary>The same for a client that can do without OPEN and OPENDIR (COHERENCY_ATTACH_OPENS_XATTR).</summary>
    public static ReadOnlySpan<byte> AttachWithoutOpensAttribute => "trusted.coherency.attach.opens"u8;

    /// <summary>
    /// Of the mount's root: writing node ids to it, 8 bytes each, says which files a client without opens has had open for a while
    /// (COHERENCY_OPENED_XATTR).
    /// </summary>
    public static ReadOnlySpan<byte> OpenedAttribute => "trusted.coherency.opened"u8;

    /// <summary>And which of them it has closed (COHERENCY_CLOSED_XATTR).</summary>
    public static ReadOnlySpan<byte> ClosedAttribute => "trusted.coherency.closed"u8;

    /// <summary>
    /// Of the mount's root, before HITS.MISSES in decimal: asking for such an attribute, of which there is none, reports what the
    /// reader's caches did since it mounted (COHERENCY_REPORT_XATTR).
    /// </summary>
    public static ReadOnlySpan<byte> ReportAttributePrefix => "trusted.coherency.report."u8;

    /// <summary>Of any inode: its handle, for a client to keep longer than the inode's node id (COHERENCY_HANDLE_XATTR).</summary>
    public static ReadOnlySpan<byte> HandleAttribute => "trusted.coherency.handle"u8;

    /// <summary>
    /// Of a mount's root, before such a handle in lower-case hexadecimal digits: asking for it answers the node id that the inode
    /// has now, 8 bytes, little-endian (COHERENCY_BY_HANDLE_XATTR).
    /// </summary>
    public static ReadOnlySpan<byte> ByHandleAttributePrefix => "trusted.coherency.handle."u8;

    public static bool IsSlotCount(long count) =>
        count is >= VersionTableConstants.SlotsMin and <= VersionTableConstants.SlotsMax && BitOperations.IsPow2(count);

    /// <summary>Bytes of header and slots.</summary>
    public static long UsedBytes(long slotCount) => VersionTableConstants.HeaderBytes + (slotCount * sizeof(ulong));

    /// <summary>Bytes of the memory that carries a table: a power of two, as PCI wants it.</summary>
    public static long MemoryBytes(long slotCount) => (long)BitOperations.RoundUpToPowerOf2((ulong)UsedBytes(slotCount));

    /// <summary>Says what is wrong with a header; null when a reader may use the table.</summary>
    /// <param name="memoryBytes">Bytes of the memory that it was found in.</param>
    /// <param name="slotCount">What was judged: the header may say something else the next time it is asked.</param>
    // SAFETY: header is the beginning of memoryBytes mapped bytes, which are found to be enough for one before it is
    // looked at. Others may write to them: what is used later is read once and returned.
    public static string? FindProblem(coherency_table_header* header, long memoryBytes, out long slotCount)
    {
        slotCount = 0;
        if (memoryBytes < VersionTableConstants.HeaderBytes)
        {
            return $"{memoryBytes} bytes are too few for a version table";
        }

        if (Volatile.Read(ref header->magic) != VersionTableConstants.Magic)
        {
            return "it does not hold a version table";
        }

        if (header->layout != VersionTableConstants.Layout || header->header_bytes != VersionTableConstants.HeaderBytes)
        {
            return $"its layout is {header->layout} with a header of {header->header_bytes} bytes, only {VersionTableConstants.Layout} " +
                "is known";
        }

        slotCount = (long)Volatile.Read(ref header->slot_count);
        if (!IsSlotCount(slotCount) || UsedBytes(slotCount) > memoryBytes)
        {
            return $"its header speaks of {(ulong)slotCount} slots, which {memoryBytes} bytes do not hold";
        }

        return HasZeroReserve(header) ? null : "its header has bytes set that must be zero";
    }

    /// <summary>The tag without the zeros behind it.</summary>
    // SAFETY: callers have a whole header mapped (FindProblem). Copied first: a decoder must not see its bytes change.
    public static string ReadTag(coherency_table_header* header)
    {
        Span<byte> tag = stackalloc byte[VersionTableConstants.TagBytes];
        new ReadOnlySpan<byte>(header->tag, VersionTableConstants.TagBytes).CopyTo(tag);
        int end = tag.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? tag : tag[..end]);
    }

    private static bool HasZeroReserve(coherency_table_header* header)
    {
        // SAFETY: a copy of the whole header, on the stack; the spans are of that.
        coherency_table_header rest = *header;
        rest.magic = rest.slot_count = rest.root_key = rest.instance_id = 0;
        rest.layout = rest.header_bytes = rest.heartbeat_bound_ms = 0;
        rest.flags = rest.epoch = rest.mutations = rest.heartbeat = 0;
        new Span<byte>(rest.tag, VersionTableConstants.TagBytes).Clear();
        return !new ReadOnlySpan<byte>(&rest, sizeof(coherency_table_header)).ContainsAnyExcept((byte)0);
    }
}
