using System.Runtime.CompilerServices;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;

namespace Coherency.Core.Fuse;

/// <summary>
/// The one gate through which arguments become values: each read checks what is left first. A method that returns false has
/// read nothing usable; the request is answered with <see cref="Error"/>.
/// </summary>
public unsafe ref struct FuseRequestReader(FuseRequest request)
{
    // SAFETY: BodyLength bytes that the client cannot change (FuseRequest.TryLoad) and that stay while the request is
    // carried out. Each read finds in Remaining what it takes before it moves on; none asks for an alignment.
    private readonly byte* _end = request.Body + request.BodyLength;
    private byte* _position = request.Body;

    /// <summary>Why the last read failed.</summary>
    public Errno Error { get; private set; } = Errno.EINVAL;

    /// <summary>Bytes not read yet.</summary>
    public readonly int Remaining => (int)(_end - _position);

    /// <summary>Reads one struct.</summary>
    public bool TryRead<T>(out T value)
        where T : unmanaged
    {
        if (Remaining < sizeof(T))
        {
            value = default;
            return false;
        }

        value = Unsafe.ReadUnaligned<T>(_position);
        _position += sizeof(T);
        return true;
    }

    /// <summary>Reads <paramref name="length"/> bytes.</summary>
    public bool TryReadBytes(uint length, out ReadOnlySpan<byte> bytes)
    {
        if (length > (uint)Remaining)
        {
            bytes = default;
            return false;
        }

        bytes = new ReadOnlySpan<byte>(_position, (int)length);
        _position += length;
        return true;
    }

    /// <summary>
    /// Reads the name of a directory entry: 1 to 255 bytes (ENAMETOOLONG), no slash, neither "." nor ".." (EINVAL). A NUL ends
    /// it, so it holds none.
    /// </summary>
    public bool TryReadEntryName(out EntryName name) => TryReadLookupName(out name) && !name.IsDotOrDotDot;

    /// <summary>The same for LOOKUP, which takes "." and "..", too: of an inode itself, and of what it is in.</summary>
    public bool TryReadLookupName(out EntryName name) =>
        TryReadString(EntryName.BytesMax, out name) && name.Length > 0 && name.Bytes.IndexOf((byte)'/') < 0;

    /// <summary>Reads a NUL-terminated string of at most <paramref name="bytesMax"/> bytes (ENAMETOOLONG).</summary>
    public bool TryReadString(int bytesMax, out EntryName text)
    {
        int length = new ReadOnlySpan<byte>(_position, Remaining).IndexOf((byte)0);
        text = new EntryName(_position, Math.Max(length, 0));
        if (length < 0)
        {
            return false;
        }

        _position += length + 1;
        Error = length > bytesMax ? Errno.ENAMETOOLONG : Errno.EINVAL;
        return length <= bytesMax;
    }
}
