using Coherency.Core.Versioning.Abi;

namespace Coherency.Host.Coherence.Holdings;

/// <summary>
/// What is kept of a version: <c>version:48 | low 16 bits of the epoch</c>, as a reader keeps it that has 64 bits. The low bits
/// of an epoch are never all zero, so 0 means that nothing is held.
/// </summary>
internal static class HeldVersion
{
    public const ulong None = 0;

    private const ulong EpochMask = 0xFFFF;

    public static ulong Pack(ulong slotWord, ulong epoch) => (slotWord & ~VersionTableConstants.WritersMask) | (epoch & EpochMask);

    /// <summary>One version earlier: of an answer that may be older than what the slot says.</summary>
    public static ulong Earlier(ulong held) => held - (EpochMask + 1);

    public static ulong VersionOf(ulong held) => held >> VersionTableConstants.VersionShift;

    public static bool HaveSameEpoch(ulong a, ulong b) => (a & EpochMask) == (b & EpochMask);
}
