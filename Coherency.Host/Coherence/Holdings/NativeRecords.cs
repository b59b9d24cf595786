using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace Coherency.Host.Coherence.Holdings;

/// <summary>
/// Records off the managed heap, found by numbers from 1 on, which stay theirs as long as they live. Memory is taken in pieces
/// that never move; records that were given back are used again. Not thread-safe.
/// </summary>
/// <typeparam name="T">All zero in a record that is not in use, but for its first four bytes.</typeparam>
internal sealed unsafe class NativeRecords<T> : IDisposable
    where T : unmanaged
{
    /// <summary>Records of one piece, as a power of two: pages that were never written to take no memory.</summary>
    private const int PieceBits = 14;
    private const uint PieceMask = (1u << PieceBits) - 1;

    // SAFETY: numbers come from TryAdd or were made sure of by Reach, so their piece is there; their owner, under its
    // lock, links no record that was given back. Pieces never move, and stay until Clear, before which references end.
    private readonly T*[] _pieces;
    private uint _unused = 1;
    private uint _returned;
    private int _pieceCount;

    /// <param name="most">How many there can be.</param>
    public NativeRecords(uint most)
    {
        Most = most;
        _pieces = new T*[(most >> PieceBits) + 1];
    }

    public uint Most { get; }

    /// <summary>In use now.</summary>
    public uint Count { get; private set; }

    /// <summary>No record has a number that is as high as this.</summary>
    public uint End => _unused;

    /// <summary>Taken from the system.</summary>
    public long Bytes => (long)_pieceCount * (1 << PieceBits) * sizeof(T);

    public ref T this[uint number]
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => ref _pieces[number >> PieceBits][number & PieceMask];
    }

    /// <summary>Begins to fetch a record from memory, of whatever number: a hint, where the processor has one.</summary>
    public void Prefetch(uint number)
    {
        if (Sse.IsSupported && number >> PieceBits < (uint)_pieces.Length)
        {
            // SAFETY: a hint reads nothing, and faults nowhere: the piece may be missing, or just given back.
            Sse.Prefetch0(_pieces[number >> PieceBits] + (number & PieceMask));
        }
    }

    /// <summary>A record full of zeros; false when there are too many.</summary>
    public bool TryAdd(out uint number)
    {
        number = _returned;
        if (number != 0)
        {
            _returned = LinkOf(number);
            LinkOf(number) = 0;
        }
        else if (_unused > Most)
        {
            return false;
        }
        else
        {
            number = _unused;
            Reach(number);
            _unused++;
        }

        Count++;
        return true;
    }

    public void Remove(uint number)
    {
        this[number] = default;
        LinkOf(number) = _returned;
        _returned = number;
        Count--;
    }

    /// <summary>Takes the memory that a number needs, for tables that use numbers as they come.</summary>
    public void Reach(uint number)
    {
        while (number >> PieceBits >= (uint)_pieceCount)
        {
            // It may fail: then nothing has changed.
            T* piece = (T*)NativeMemory.AllocZeroed(1 << PieceBits, (nuint)sizeof(T));
            _pieces[_pieceCount++] = piece;
        }
    }

    /// <summary>Gives everything back.</summary>
    public void Clear()
    {
        for (int i = 0; i < _pieceCount; i++)
        {
            NativeMemory.Free(_pieces[i]);
            _pieces[i] = null;
        }

        _pieceCount = 0;
        _unused = 1;
        _returned = 0;
        Count = 0;
    }

    public void Dispose() => Clear();

    // SAFETY: every T has four bytes or more, and its first four are not its own while it is not in use.
    private ref uint LinkOf(uint number) => ref Unsafe.As<T, uint>(ref this[number]);
}
