namespace Coherency.Host.Coherence.Holdings;

/// <summary>Which version an answer was given with, and until when it may be believed.</summary>
/// <param name="Given">A <see cref="HeldVersion"/>.</param>
/// <param name="Sequence">The lower half of the start's; 0 when causes cannot be told.</param>
/// <param name="Expiry">In units of 100 ms since the <see cref="HeldStamps"/> were created.</param>
internal readonly record struct HeldStamp(ulong Given, uint Sequence, uint Expiry)
{
    /// <summary>Of an answer that the guest may not keep.</summary>
    public static HeldStamp NotKept => default;
}
