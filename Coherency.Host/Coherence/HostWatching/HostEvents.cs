using Coherency.Core.Versioning;
using Coherency.Core.Versioning.Abi;
using Coherency.Host.Coherence.Events;

namespace Coherency.Host.Coherence.HostWatching;

/// <summary>
/// What programs of the host changed, out of events that were read together, until the slots have moved and it can be told: the same
/// messages that clients get, in the same order.
/// </summary>
internal sealed class HostEvents(ShareEvents events)
{
    private readonly byte[] _messages = new byte[2 * SlotBatch.EventBytesMax];
    private int _length;
    private bool _isFull;

    /// <summary>Somebody listens.</summary>
    public bool AreWanted => events.AreWanted;

    public bool IsEmpty => _length == 0 && !_isFull;

    public void Clear()
    {
        _length = 0;
        _isFull = false;
    }

    public void Add(in FileEvent happened, EventLook look = EventLook.None)
    {
        if (happened.Name.Length > ChannelConstants.NameBytesMax
            || _messages.Length - _length < ChannelFormat.EventBytes(happened.Name.Length))
        {
            _isFull = true;
            return;
        }

        _length += ChannelFormat.Write(_messages.AsSpan(_length), happened, (uint)look);
    }

    /// <summary>The two halves of a rename.</summary>
    public void AddRename(in FileEvent old, in FileEvent present)
    {
        Add(old, EventLook.Paired);
        Add(present);
    }

    /// <summary>Tells all of it.</summary>
    public void Tell()
    {
        ReadOnlySpan<byte> rest = _messages.AsSpan(0, _length);
        while (!rest.IsEmpty && !_isFull)
        {
            EventLook look = EventLooks.Of(rest);
            FileEvent happened = ChannelFormat.Read(rest, out int bytes);
            rest = rest[bytes..];
            if (look.HasFlag(EventLook.Paired))
            {
                events.RaiseRename(null, happened, ChannelFormat.Read(rest, out bytes));
                rest = rest[bytes..];
            }
            else if (look.HasFlag(EventLook.Order))
            {
                events.RaiseMadeAndRemoved(null, happened);
            }
            else
            {
                events.Raise(null, happened, look.HasFlag(EventLook.Removed));
            }
        }

        if (_isFull)
        {
            events.RaiseLostAll();
        }

        Clear();
    }
}
