using System.Runtime.InteropServices;

namespace Coherency.Host.Coherence.Holdings;

/// <summary>
/// Bytes of names, off the managed heap, each behind its length, in multiples of 8: what one name gave back, the next of about
/// that length takes. Not thread-safe.
/// </summary>
internal sealed unsafe class NameArena : IDisposable
{
    private const int UnitBytes = 8;
    private const int LengthMax = 255;

    /// <summary>Units of one piece of memory, as a power of two. A name does not cross from one to the next.</summary>
    private const int PieceBits = 17;
    private const uint PieceMask = (1u << PieceBits) - 1;
    /// <summary>4 GiB.</summary>
    private const int PiecesMax = 4096;

    // SAFETY: places come from TryAdd, each with units enough for a length and so many bytes, within one piece. Nobody
    // uses a place that was given back: HeldEntries, under its lock, keeps it in exactly one record. Pieces stay until
    // Clear.
    private readonly byte*[] _pieces = new byte*[PiecesMax];

    /// <summary>By units: the first of the places that were given back; each holds the number of the next one.</summary>
    private readonly uint[] _returned = new uint[UnitsOf(LengthMax) + 1];

    /// <summary>Place 0 means none.</summary>
    private uint _unused = 1;
    private int _pieceCount;

    /// <summary>Taken from the system.</summary>
    public long Bytes => (long)_pieceCount * UnitBytes << PieceBits;

    /// <summary>Keeps a name; false when there is no room for more.</summary>
    /// <param name="name">1 to 255 bytes.</param>
    public bool TryAdd(ReadOnlySpan<byte> name, out uint place)
    {
        uint units = UnitsOf(name.Length);
        place = _returned[units];
        if (place != 0)
        {
            _returned[units] = *(uint*)At(place);
        }
        else if (!TryTakeUnused(units, out place))
        {
            return false;
        }

        byte* at = At(place);
        *at = (byte)name.Length;
        name.CopyTo(new Span<byte>(at + 1, name.Length));
        return true;
    }

    public void Remove(uint place)
    {
        uint units = UnitsOf(*At(place));
        *(uint*)At(place) = _returned[units];
        _returned[units] = place;
    }

    public ReadOnlySpan<byte> Read(uint place)
    {
        byte* at = At(place);
        return new ReadOnlySpan<byte>(at + 1, *at);
    }

    /// <summary>Gives everything back.</summary>
    public void Clear()
    {
        for (int i = 0; i < _pieceCount; i++)
        {
            NativeMemory.Free(_pieces[i]);
            _pieces[i] = null;
        }

        Array.Clear(_returned);
        _pieceCount = 0;
        _unused = 1;
    }

    public void Dispose() => Clear();

    /// <summary>With the byte for the length.</summary>
    private static uint UnitsOf(int length) => (uint)(length + UnitBytes) / UnitBytes;

    private byte* At(uint place) => _pieces[place >> PieceBits] + ((place & PieceMask) * UnitBytes);

    private bool TryTakeUnused(uint units, out uint place)
    {
        if ((_unused & PieceMask) + units > PieceMask + 1)
        {
            _unused = (_unused | PieceMask) + 1;
        }

        place = _unused;
        uint piece = place >> PieceBits;
        if (piece >= PiecesMax)
        {
            return false;
        }

        if (piece == _pieceCount)
        {
            // It may fail: then nothing has changed.
            byte* bytes = (byte*)NativeMemory.AllocZeroed(1 << PieceBits, UnitBytes);
            _pieces[_pieceCount++] = bytes;
        }

        _unused += units;
        return true;
    }
}
