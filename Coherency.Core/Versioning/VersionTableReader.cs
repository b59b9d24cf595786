using System.Runtime.CompilerServices;
using Coherency.Core.Versioning.Abi;
using Microsoft.Win32.SafeHandles;

namespace Coherency.Core.Versioning;

/// <summary>What a reader keeps with a cached answer: the state of its slot from before the answer was asked for.</summary>
public readonly record struct VersionSample(ulong Epoch, ulong Slot)
{
    /// <summary>Of an answer that must not be believed again; also the default.</summary>
    public static VersionSample None => default;

    /// <summary>False while a change was under way: its answer may be used once, not kept.</summary>
    public bool Counts => Epoch != 0 && (Slot & VersionTableConstants.WritersMask) == 0;
}

/// <summary>
/// A reader of a version table: decides whether a cached answer may be used (docs/version-table.md, "Reading"). Any number of
/// threads may use it; nothing here allocates, locks or makes a system call.
/// </summary>
public sealed unsafe class VersionTableReader : IDisposable
{
    private readonly VersionTableMemory _memory;
    // SAFETY: FindProblem found header and slots to be within the memory. _mask is of the count that it judged, which
    // is not read again, and reduces every index. Who uses a reader is done before it is disposed (TableWatch.Dispose).
    private readonly coherency_table_header* _header;
    private readonly ulong* _slots;
    private readonly ulong _mask;

    private VersionTableReader(VersionTableMemory memory, string name)
    {
        _memory = memory;
        _header = memory.Header;
        string? problem = VersionTableLayout.FindProblem(_header, memory.Bytes, out long slotCount);
        if (problem is not null)
        {
            memory.Dispose();
            throw new VersionTableException($"{name} cannot be used as a version table: {problem}");
        }

        _slots = memory.Slots;
        _mask = (ulong)slotCount - 1;
        Tag = VersionTableLayout.ReadTag(_header);
    }

    public string Tag { get; }

    public int SlotCount => (int)(_mask + 1);

    public ulong InstanceId => Volatile.Read(ref _header->instance_id);

    public ulong RootKey => Volatile.Read(ref _header->root_key);

    public ulong Epoch => Volatile.Read(ref _header->epoch);

    /// <summary>To be read before a request whose answer names an inode, for <see cref="SampleAnswered"/>.</summary>
    public ulong Mutations => Volatile.Read(ref _header->mutations);

    public ulong Heartbeat => Volatile.Read(ref _header->heartbeat);

    public TimeSpan HeartbeatBound => TimeSpan.FromMilliseconds(_header->heartbeat_bound_ms);

    public VersionTableFlags Flags => (VersionTableFlags)Volatile.Read(ref _header->flags);

    /// <exception cref="VersionTableException">The file cannot be opened or holds no table of a known layout.</exception>
    public static VersionTableReader Open(string path) => new(VersionTableMemory.OpenForReading(path), path);

    /// <summary>Reads a table in memory that somebody passed on.</summary>
    /// <param name="file">Taken over.</param>
    /// <exception cref="VersionTableException">It holds no table of a known layout.</exception>
    public static VersionTableReader Map(SafeFileHandle file) => new(VersionTableMemory.MapForReading(file, "the memory"), "the memory");

    /// <summary>Takes a sample; to be done before the request is sent whose answer it is to go with.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public VersionSample Sample(SlotKey slot)
    {
        // In this order: with the newer epoch the slot must not be older.
        ulong epoch = Volatile.Read(ref _header->epoch);
        return new VersionSample(epoch, Volatile.Read(ref _slots[slot.Value & _mask]));
    }

    /// <summary>
    /// A sample for the inode that an answer named, which could not be taken before; <see cref="VersionSample.None"/> when
    /// something changed meanwhile, so that the attributes that came with the name must be asked for again.
    /// </summary>
    /// <param name="mutations"><see cref="Mutations"/> from before the request.</param>
    public VersionSample SampleAnswered(SlotKey slot, ulong mutations)
    {
        VersionSample sample = Sample(slot);
        return Mutations == mutations ? sample : VersionSample.None;
    }

    /// <summary>May the answer that goes with this sample still be used?</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool IsCurrent(SlotKey slot, VersionSample sample) =>
        Volatile.Read(ref _slots[slot.Value & _mask]) == sample.Slot
        && Volatile.Read(ref _header->epoch) == sample.Epoch
        && (sample.Slot & VersionTableConstants.WritersMask) == 0;

    public void Dispose() => _memory.Dispose();
}
