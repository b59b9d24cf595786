using System.Text;

namespace Coherency.Core.Fuse;

/// <summary>
/// A name, path or attribute name out of a request: bytes in the daemon's own memory with a NUL after them, so that system
/// calls can take <see cref="Pointer"/> as it is. It lives as long as the request does.
/// </summary>
public readonly unsafe ref struct EntryName(byte* pointer, int length)
{
    /// <summary>The longest name of a directory entry (NAME_MAX), in bytes.</summary>
    public const int BytesMax = 255;

    /// <summary>First byte of the NUL-terminated name.</summary>
    public byte* Pointer { get; } = pointer;

    /// <summary>Bytes without the NUL.</summary>
    public int Length { get; } = length;

    // SAFETY: who makes a name has found its NUL, Length bytes on, in memory that nobody else writes to: the copy of a
    // request's arguments, records of a directory, a pinned array. A call that is given a name keeps it no longer than
    // it runs.
    public ReadOnlySpan<byte> Bytes => new(Pointer, Length);

    public bool IsDotOrDotDot => Bytes.SequenceEqual("."u8) || Bytes.SequenceEqual(".."u8);

    public override string ToString() => Encoding.UTF8.GetString(Bytes);
}
