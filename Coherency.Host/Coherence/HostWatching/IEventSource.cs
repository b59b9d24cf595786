namespace Coherency.Host.Coherence.HostWatching;

/// <summary>A descriptor that events of the kernel are read from.</summary>
internal interface IEventSource
{
    /// <summary>Not blocking.</summary>
    int Fd { get; }

    /// <summary>Adds the slots that events touch; false when some events are lost, or cannot be understood.</summary>
    /// <param name="events">Whole events, as one read returned them.</param>
    bool TryDecode(ReadOnlySpan<byte> events, SlotBatch batch);
}
