using Coherency.Core.Fuse;
using Coherency.Core.Versioning;

namespace Coherency.Host.Coherence.Holdings;

// Changes that the guest makes itself: no slot of its view tells of them.
public sealed partial class HeldEntries
{
    /// <summary>The guest has made a name: what it knew of the directory itself, it has given up.</summary>
    public void ChangedDirectory(object owner, NodeId directory)
    {
        using (EnterForRequest())
        {
            if (_owner == owner)
            {
                GiveUp(directory);
            }
        }
    }

    /// <summary>The guest has removed a name.</summary>
    public void Removed(object owner, NodeId parent, ReadOnlySpan<byte> name)
    {
        SlotKey slot = SlotKey.Name(KeyOf(parent.Value), name);
        using (EnterForRequest())
        {
            uint directory = _owner == owner ? FindNode(parent.Value) : 0;
            if (directory != 0)
            {
                RemoveName(FindName(directory, name, (uint)slot.Value));
                GiveUp(parent);
            }
        }
    }

    /// <summary>
    /// The guest has renamed something. The new name is governed by its own slot, and was not asked for: so its version is
    /// that from before the change.
    /// </summary>
    /// <param name="exchanges">The two names have changed places.</param>
    public void Renamed(
        object owner, in HeldStart start, NodeId parent, ReadOnlySpan<byte> name, NodeId newParent, ReadOnlySpan<byte> newName,
        bool exchanges)
    {
        TimeSpan forEver = TimeSpan.MaxValue;
        SlotKey slot = SlotKey.Name(KeyOf(parent.Value), name);
        SlotKey newSlot = SlotKey.Name(KeyOf(newParent.Value), newName);
        HeldStamp stamp = exchanges ? Stamp(slot, start, forEver) : NotKept;
        HeldStamp newStamp = Stamp(newSlot, start, forEver);
        using (EnterForRequest())
        {
            uint directory = _owner == owner ? FindNode(parent.Value) : 0;
            uint newDirectory = _owner == owner ? FindNode(newParent.Value) : 0;
            MovedName moved = Take(directory, name, (uint)slot.Value);
            MovedName replaced = Take(newDirectory, newName, (uint)newSlot.Value);
            Put(newDirectory, newName, (uint)newSlot.Value, moved, newStamp);
            if (exchanges)
            {
                Put(directory, name, (uint)slot.Value, replaced, stamp);
            }

            GiveUp(parent);
            GiveUp(newParent);
        }
    }

    /// <summary>Removes a name, and says what it was.</summary>
    private MovedName Take(uint directory, ReadOnlySpan<byte> name, uint hash)
    {
        uint number = directory == 0 ? 0 : FindName(directory, name, hash);
        if (number == 0)
        {
            return default;
        }

        MovedName taken = new(_names[number].Child, _names[number].Given != HeldVersion.None, _names[number].Expiry);
        RemoveName(number);
        return taken;
    }

    private void Put(uint directory, ReadOnlySpan<byte> name, uint hash, in MovedName moved, in HeldStamp stamp)
    {
        if (directory != 0 && moved.Child != 0)
        {
            SetName(directory, name, hash, moved.Child, moved.IsHeld ? stamp with { Expiry = moved.Expiry } : NotKept);
        }
    }

    private void GiveUp(NodeId directory)
    {
        uint number = FindNode(directory.Value);
        if (number != 0)
        {
            _nodes[number].AttributesGiven = HeldVersion.None;
            if (_nodes[number].Content != 0)
            {
                ContentOf(number).Given = HeldVersion.None;
            }
        }
    }

    private readonly record struct MovedName(uint Child, bool IsHeld, uint Expiry);
}
