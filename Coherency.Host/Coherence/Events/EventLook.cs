using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Coherency.Core.Versioning;
using Coherency.Core.Versioning.Abi;

namespace Coherency.Host.Coherence.Events;

/// <summary>What has to be found out about a message before it is sent. It stands in the message's reserved word until then.</summary>
[Flags]
internal enum EventLook : uint
{
    None = 0,

    /// <summary>Whether the child has a name left.</summary>
    Removed = 1,

    /// <summary>Which of a pair came first, of which one makes a name and the other removes it.</summary>
    Order = 2,

    /// <summary>The next message is the other half.</summary>
    Paired = 4,
}

/// <summary>Finds it out.</summary>
internal static class EventLooks
{
    public static EventLook Of(ReadOnlySpan<byte> message) =>
        (EventLook)MemoryMarshal.AsRef<coherency_event>(message).message.reserved;

    /// <summary>Bytes of what has to be taken together at the start of some messages.</summary>
    public static int UnitBytes(ReadOnlySpan<byte> rest, out int messages)
    {
        int bytes = MemoryMarshal.AsRef<coherency_event>(rest).message.bytes;
        messages = 1;
        if (Of(rest).HasFlag(EventLook.Paired))
        {
            messages = 2;
            bytes += MemoryMarshal.AsRef<coherency_event>(rest[bytes..]).message.bytes;
        }

        return bytes;
    }

    /// <summary>Finishes the messages of a block.</summary>
    public static void Settle(Span<byte> messages, IEventAudience audience)
    {
        while (!messages.IsEmpty)
        {
            ref coherency_event head = ref MemoryMarshal.AsRef<coherency_event>(messages);
            EventLook look = (EventLook)head.message.reserved;
            Span<byte> next = messages[head.message.bytes..];
            if (look.HasFlag(EventLook.Order | EventLook.Paired))
            {
                SettleOrder(ref head, ref MemoryMarshal.AsRef<coherency_event>(next), ChannelFormat.Read(messages, out _), audience);
            }

            bool mayBeRemoved = ((FileEventKinds)head.mask & (FileEventKinds.Delete | FileEventKinds.Attributes)) != FileEventKinds.None;
            if (look.HasFlag(EventLook.Removed) && mayBeRemoved && head.child != 0)
            {
                head.flags |= (ushort)(audience.IsRemoved(head.child) ? FileEventFlags.Gone : FileEventFlags.Exists);
            }

            head.message.reserved = 0;
            messages = next;
        }
    }

    /// <summary>The same name and inode, made first and then removed, as they were put down; unless the name is there.</summary>
    private static void SettleOrder(ref coherency_event made, ref coherency_event removed, in FileEvent told, IEventAudience audience)
    {
        if (audience.HasName(told.Directory, told.Name))
        {
            (made.mask, removed.mask) = (removed.mask, made.mask);
        }
    }
}
