using System.Buffers.Binary;
using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using Coherency.Core.Versioning.Abi;

namespace Coherency.Core.Versioning;

/// <summary>What a new table says about the share that it belongs to.</summary>
/// <param name="Tag">Of the mount; at most 36 bytes of UTF-8.</param>
/// <param name="RootKey">Inode key of the share's root.</param>
/// <param name="SlotCount">A power of two.</param>
/// <param name="HeartbeatBoundMs">A heartbeat that stands still for longer means that nothing may be believed.</param>
public sealed record VersionTableDescription(string Tag, ulong RootKey, int SlotCount, int HeartbeatBoundMs);

/// <summary>
/// The one writer of a version table. Methods that move slots may be called by any number of threads at a time; they
/// allocate nothing and take no lock (docs/version-table.md, "Changing").
/// </summary>
public sealed unsafe class VersionTableWriter : IDisposable
{
    private const ulong EpochWrapMask = 0xFFFF;

    private readonly VersionTableMemory _memory;
    // SAFETY: the memory was made for a header and SlotCount slots, a power of two (Check, VersionTableMemory.Map).
    // _mask is of that, not of the header, which a guest may write to, and reduces every index. Whoever looks here is
    // done before the memory goes: CoherentShares.Dispose ends heartbeat and watchers, TableView.Dispose waits for
    // changes, TableMoves.Dispose for looks.
    private readonly coherency_table_header* _header;
    private readonly ulong* _slots;
    private readonly ulong _mask;
    private readonly Lock _epochLock = new();

    /// <summary>Kept here too: some VMMs let a guest write to its table.</summary>
    private ulong _epoch;

    /// <summary>Of <see cref="Stopwatch"/>; 0 before the first.</summary>
    private long _lastBeat;

    private VersionTableWriter(VersionTableMemory memory, VersionTableDescription description, bool isNew)
    {
        _memory = memory;
        _header = memory.Header;
        _slots = memory.Slots;
        _mask = (ulong)description.SlotCount - 1;
        RootKey = description.RootKey;
        InstanceId = BinaryPrimitives.ReadUInt64LittleEndian(RandomNumberGenerator.GetBytes(sizeof(ulong)));
        if (isNew)
        {
            Format(description);
        }
        else
        {
            TakeOver();
        }

        _header->root_key = RootKey;
        _header->instance_id = InstanceId;
        _header->heartbeat_bound_ms = (uint)description.HeartbeatBoundMs;
        WriteTag(description.Tag);
        Flags = VersionTableFlags.None;
        MoveEpoch();
        Volatile.Write(ref _header->magic, VersionTableConstants.Magic);
    }

    /// <inheritdoc cref="VersionTableMemory.Lost"/>
    public event Action? Lost
    {
        add => _memory.Lost += value;
        remove => _memory.Lost -= value;
    }

    /// <summary>The descriptor of the memory, for a VMM to map; stays the writer's.</summary>
    public int Fd => _memory.Fd;

    /// <summary>Bytes of the memory, a power of two.</summary>
    public long MemoryBytes => _memory.Bytes;

    public int SlotCount => (int)_mask + 1;

    public ulong InstanceId { get; }

    public ulong RootKey { get; }

    /// <summary>What was wrong with the table that the file held, and why it was made anew; null when nothing was.</summary>
    public string? ReplacedBecause { get; private init; }

    /// <summary>There was none: nobody else has it.</summary>
    public bool IsNew { get; private init; }

    public ulong Epoch => Volatile.Read(ref _epoch);

    /// <summary>Beginnings and ends of changes so far.</summary>
    public ulong Mutations => Volatile.Read(ref _header->mutations);

    public ulong Heartbeat => Volatile.Read(ref _header->heartbeat);

    /// <summary>Time since the last <see cref="Beat"/>; null before the first.</summary>
    public TimeSpan? HeartbeatAge => Volatile.Read(ref _lastBeat) is not 0 and long last ? Stopwatch.GetElapsedTime(last) : null;

    public VersionTableFlags Flags
    {
        get => (VersionTableFlags)Volatile.Read(ref _header->flags);
        set => Volatile.Write(ref _header->flags, (ulong)value);
    }

    /// <summary>A table in memory without a name.</summary>
    public static VersionTableWriter CreateAnonymous(VersionTableDescription description)
    {
        Check(description);
        VersionTableMemory memory = VersionTableMemory.CreateAnonymous($"version-table-{description.Tag}", description.SlotCount);
        return new VersionTableWriter(memory, description, isNew: true);
    }

    /// <summary>Makes the file of a table that is opened later, so that who maps it before finds the same.</summary>
    /// <exception cref="VersionTableException">The file is somebody else's, in use, or of another size.</exception>
    public static void Reserve(string path, int slotCount) => VersionTableMemory.OpenForWriting(path, slotCount).Dispose();

    /// <summary>
    /// A table in a file: a new one, or the one that an earlier daemon left there. Readers may still have that mapped:
    /// changes it never ended are ended, and nothing that was cached by it counts any more. One that is damaged is made anew,
    /// so that a guest that could write to it keeps nobody from being served.
    /// </summary>
    /// <exception cref="VersionTableException">The file is somebody else's, in use, or of another size.</exception>
    public static VersionTableWriter Open(string path, VersionTableDescription description)
    {
        Check(description);
        VersionTableMemory memory = VersionTableMemory.OpenForWriting(path, description.SlotCount);
        // A table whose maker died before it was done has no magic, and a new file is all zero.
        bool isNew = memory.Header->magic == 0;
        long slotCount = description.SlotCount;
        string? problem = isNew ? null : VersionTableLayout.FindProblem(memory.Header, memory.Bytes, out slotCount);
        if (problem is null && slotCount != description.SlotCount)
        {
            problem = $"its header speaks of {slotCount} slots, its size of {description.SlotCount}";
        }

        return new VersionTableWriter(memory, description, isNew || problem is not null) { ReplacedBecause = problem, IsNew = isNew };
    }

    /// <summary>Lets another writer have the file from here on; this one moves nothing any more, and can still be looked at.</summary>
    public void Release() => _memory.Unlock();

    /// <summary>Before the system calls of a change: from here on nobody believes what these slots govern.</summary>
    public void Begin(ReadOnlySpan<SlotKey> slots) => Add(slots, VersionTableLayout.BeginStep);

    /// <summary>After them, whether they failed or not, and before the reply.</summary>
    public void End(ReadOnlySpan<SlotKey> slots) => Add(slots, VersionTableLayout.EndStep);

    /// <summary>Of a change that is over already: what was cached before it does not count any more.</summary>
    public void Move(ReadOnlySpan<SlotKey> slots) => Add(slots, VersionTableLayout.MoveStep);

    /// <summary>Makes everything that was cached stale.</summary>
    public void MoveEpoch()
    {
        lock (_epochLock)
        {
            ulong next = _epoch + 1;
            if ((next & EpochWrapMask) == 0)
            {
                // Readers that keep only the lower bits must not see the same twice.
                MoveEverySlot();
                next++;
            }

            Interlocked.Increment(ref _header->mutations);
            Interlocked.Exchange(ref _header->epoch, next);
            _epoch = next;
        }
    }

    /// <summary>Shows readers that their writer lives.</summary>
    public void Beat()
    {
        Interlocked.Increment(ref _header->heartbeat);
        Volatile.Write(ref _lastBeat, Stopwatch.GetTimestamp());
    }

    /// <summary>The word of a slot now, for whoever looks at the table from the writer's side.</summary>
    public ulong ReadSlot(SlotKey slot) => Volatile.Read(ref _slots[slot.Value & _mask]);

    /// <summary>Looks at every slot, which takes about a millisecond for a million of them; changes go on meanwhile.</summary>
    /// <param name="runs">Versions summed up over each of so many runs of slots of about equal length; at most as many as slots.</param>
    public VersionTableSurvey Survey(Span<ulong> runs)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(runs.Length, SlotCount);
        runs.Clear();
        VersionTableSurvey survey = default;
        for (ulong i = 0; i <= _mask; i++)
        {
            ulong slot = Volatile.Read(ref _slots[i]);
            ulong version = slot >> VersionTableConstants.VersionShift;
            survey.Versions += version;
            survey.SlotsInChange += (slot & VersionTableConstants.WritersMask) != 0 ? 1 : 0;
            if (!runs.IsEmpty)
            {
                runs[(int)(i * (ulong)runs.Length / (_mask + 1))] += version;
            }
        }

        return survey;
    }

    public void Dispose()
    {
        // Whoever still has it mapped must not believe it while nobody moves it; the heartbeat alone would take its time.
        MoveEpoch();
        _memory.Dispose();
    }

    /// <summary>The counter moves first: a reader that sees a slot moved and the counter not would believe an old answer.</summary>
    private void Add(ReadOnlySpan<SlotKey> slots, ulong step)
    {
        Interlocked.Increment(ref _header->mutations);
        foreach (SlotKey slot in slots)
        {
            Interlocked.Add(ref _slots[slot.Value & _mask], step);
        }
    }

    private static void Check(VersionTableDescription description)
    {
        if (!VersionTableLayout.IsSlotCount(description.SlotCount))
        {
            throw new VersionTableException(
                $"{description.SlotCount} slots: a power of two from {VersionTableConstants.SlotsMin} to " +
                $"{VersionTableConstants.SlotsMax} is possible");
        }

        ArgumentOutOfRangeException.ThrowIfGreaterThan(Encoding.UTF8.GetByteCount(description.Tag), VersionTableConstants.TagBytes);
    }

    private void Format(VersionTableDescription description)
    {
        // From somewhere else each time: whoever kept samples of what was here before must not find them again.
        _epoch = RandomBits();
        // SAFETY (both spans): the memory has HeaderBytes, and behind them so many slots: Check has judged the same
        // description.
        new Span<byte>(_header, VersionTableConstants.HeaderBytes).Clear();
        _header->layout = VersionTableConstants.Layout;
        _header->header_bytes = VersionTableConstants.HeaderBytes;
        _header->slot_count = (ulong)description.SlotCount;
        new Span<ulong>(_slots, description.SlotCount).Fill((1 + RandomBits()) << VersionTableConstants.VersionShift);
    }

    private static ulong RandomBits() => (ulong)RandomNumberGenerator.GetInt32(int.MaxValue);

    /// <summary>Ends what a daemon that was killed had begun.</summary>
    private void TakeOver()
    {
        _epoch = _header->epoch;
        MoveEpoch();
        for (ulong i = 0; i <= _mask; i++)
        {
            if ((_slots[i] & VersionTableConstants.WritersMask) != 0)
            {
                Volatile.Write(ref _slots[i], (_slots[i] & ~VersionTableConstants.WritersMask) + VersionTableLayout.MoveStep);
            }
        }
    }

    private void MoveEverySlot()
    {
        for (ulong i = 0; i <= _mask; i++)
        {
            Interlocked.Add(ref _slots[i], VersionTableLayout.MoveStep);
        }
    }

    private void WriteTag(string tag)
    {
        // SAFETY: the field has TagBytes, and Check found that the tag takes no more.
        Span<byte> field = new(_header->tag, VersionTableConstants.TagBytes);
        field.Clear();
        Encoding.UTF8.GetBytes(tag, field);
    }
}
