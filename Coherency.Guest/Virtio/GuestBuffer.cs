namespace Coherency.Guest.Virtio;

/// <summary>
/// A piece of guest memory as both sides see it: <see cref="Pointer"/> here, <see cref="Address"/> in descriptors. It is valid as
/// long as the <see cref="GuestRam"/> that it was allocated from.
/// </summary>
public readonly unsafe struct GuestBuffer(byte* pointer, ulong address, int length)
{
    /// <summary>Where this process has it mapped.</summary>
    public byte* Pointer { get; } = pointer;

    /// <summary>Guest-physical address.</summary>
    public ulong Address { get; } = address;

    /// <summary>In bytes.</summary>
    public int Length { get; } = length;

    // SAFETY: pointer and length come from GuestRam.Allocate, which handed this range out and keeps it mapped.
    public Span<byte> Span => new(Pointer, Length);

    /// <summary>The part that starts at <paramref name="offset"/>, both in bytes.</summary>
    public GuestBuffer Slice(int offset, int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Length - offset);
        return new GuestBuffer(Pointer + offset, Address + (ulong)offset, length);
    }
}
