using Coherency.Core.Linux;
using Coherency.Core.Versioning;

namespace Coherency.Host.Coherence.HostWatching;

/// <summary>
/// The slots of events that were read together, each once: a hundred files made in a directory move the directory's slot
/// once. Leaving out a repeated one may fail, which costs no more than a slot that moves twice.
/// </summary>
/// <param name="changes">Is told of each event.</param>
/// <param name="events">What clients are to hear of them.</param>
internal sealed class SlotBatch(IHostChanges changes, HostEvents events)
{
    /// <summary>Most bytes of events that are decoded into a batch.</summary>
    public const int EventBytesMax = 64 * 1024;

    /// <summary>
    /// Of events, per slot. The densest is a <see cref="inotify_event"/> without a name, of 16 bytes; one with a name has 32
    /// and makes two; of fanotify, a rename has over 100 and makes five.
    /// </summary>
    private const int EventBytesPerSlotMin = 16;

    private const int PlacesMask = 1023;

    private readonly SlotKey[] _slots = new SlotKey[EventBytesMax / EventBytesPerSlotMin];

    /// <summary>Where a slot was put last that has the same low bits; believed only if it is still there.</summary>
    private readonly int[] _places = new int[PlacesMask + 1];

    private int _count;

    public HostEvents Events => events;

    public ReadOnlySpan<SlotKey> Slots => _slots.AsSpan(0, _count);

    public void Clear()
    {
        _count = 0;
        events.Clear();
    }

    /// <summary>Adds all slots of an event, and says what it was.</summary>
    public void Add(in HostChange change)
    {
        changes.Noticed(change);
        foreach (SlotKey key in change.Keys)
        {
            Add(key);
        }
    }

    private void Add(SlotKey slot)
    {
        ref int place = ref _places[slot.Value & PlacesMask];
        if (place < _count && _slots[place] == slot)
        {
            return;
        }

        place = _count;
        _slots[_count++] = slot;
    }
}
