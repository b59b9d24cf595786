namespace Coherency.Host.Coherence.Holdings;

/// <summary>How much is recorded of one guest.</summary>
/// <param name="NodesMax">More inodes than these are not recorded, only counted.</param>
/// <param name="NamesMax">The same, of names.</param>
/// <param name="AbsentNamesMax">
/// Names that do not exist: guests drop those without a word, so the oldest make room for new ones.
/// </param>
/// <param name="BytesMax">More memory than this is not taken: enough for some thirteen million inodes, each with a name of 12
/// bytes.</param>
public sealed record HeldLimits(int NodesMax = 1 << 24, int NamesMax = 1 << 24, int AbsentNamesMax = 1 << 16, long BytesMax = 1536L << 20);

/// <summary>How much is recorded of one guest now.</summary>
/// <param name="Nodes">Inodes, the root included.</param>
/// <param name="Names">Names, those that do not exist included.</param>
/// <param name="EvictedNames">Names that do not exist and made room for others, since the guest mounted.</param>
/// <param name="Unrecorded">What found no room, since the guest mounted.</param>
/// <param name="Bytes">Memory that the records take.</param>
public readonly record struct HeldCounts(long Nodes, long Names, long AbsentNames, long EvictedNames, long Unrecorded, long Bytes);
