using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Coherency.Core.Versioning.Abi;

namespace Coherency.Core.Versioning;

/// <summary>The bytes of the channel (docs/version-table.md, "The channel").</summary>
public static class ChannelFormat
{
    public const int BlockHeaderBytes = 8;

    /// <summary>Of an event without a name.</summary>
    public const int EventBytesMin = 40;

    /// <summary>Of a message about a lock.</summary>
    public const int LockBytes = 16;

    public static readonly int EventBytesMax = EventBytes(ChannelConstants.NameBytesMax);

    private const int Alignment = 8;

    /// <summary>Of the mount's root: how many bytes an answer has at most (COHERENCY_EVENTS_XATTR).</summary>
    public static ReadOnlySpan<byte> EventsAttribute => "trusted.coherency.events"u8;

    /// <summary>Before the seconds to wait for (COHERENCY_NEXT_EVENTS_XATTR).</summary>
    public static ReadOnlySpan<byte> PollAttributePrefix => "trusted.coherency.events."u8;

    /// <summary>Of the mount's root: setting it begins or ends the telling (COHERENCY_SUBSCRIBE_XATTR).</summary>
    public static ReadOnlySpan<byte> SubscribeAttribute => "trusted.coherency.subscribe"u8;

    /// <summary>Of the mount's root: <see cref="AskedLocks"/> (COHERENCY_LOCKS_XATTR).</summary>
    public static ReadOnlySpan<byte> LocksAttribute => "trusted.coherency.locks"u8;

    /// <summary>Bytes of an event's message.</summary>
    public static int EventBytes(int nameLength) => EventBytesMin + ((nameLength + Alignment - 1) & -Alignment);

    /// <summary>Writes the header of a block.</summary>
    /// <param name="bytes">Of the whole block.</param>
    public static void WriteHeader(Span<byte> block, int bytes, ChannelBlockFlags flags) =>
        MemoryMarshal.Write(block, new coherency_block { bytes = (uint)bytes, flags = (uint)flags });

    /// <summary>Writes one message, whose <see cref="EventBytes"/> there is room for.</summary>
    /// <param name="reserved">The message's reserved word, which is 0 on the wire.</param>
    /// <returns>Its bytes.</returns>
    public static int Write(Span<byte> target, in FileEvent told, uint reserved = 0)
    {
        int bytes = EventBytes(told.Name.Length);
        MemoryMarshal.Write(target, new coherency_event
        {
            message = new coherency_message { kind = (ushort)ChannelMessageKind.Event, bytes = (ushort)bytes, reserved = reserved },
            directory = told.Directory,
            child = told.Child,
            mask = (uint)told.Kinds,
            cookie = told.Cookie,
            flags = (ushort)told.Flags,
            name_length = (ushort)told.Name.Length,
        });
        told.Name.CopyTo(target[EventBytesMin..]);
        target[(EventBytesMin + told.Name.Length)..bytes].Clear();
        return bytes;
    }

    /// <summary>Writes that a lock on an inode may be free; there is room for <see cref="LockBytes"/>.</summary>
    public static void WriteLock(Span<byte> target, ulong inode) => MemoryMarshal.Write(target, new coherency_lock_message
    {
        message = new coherency_message { kind = (ushort)ChannelMessageKind.Lock, bytes = LockBytes },
        inode = inode,
    });

    /// <summary>The event at the start of some messages, which a writer of this process has written.</summary>
    public static FileEvent Read(ReadOnlySpan<byte> messages, out int bytes)
    {
        ref readonly coherency_event head = ref MemoryMarshal.AsRef<coherency_event>(messages);
        bytes = head.message.bytes;
        return ToEvent(head, messages);
    }

    /// <summary>Reads the header of a block; false when it is none.</summary>
    /// <param name="block">The whole answer.</param>
    /// <param name="messages">What follows the header.</param>
    public static bool TryReadHeader(ReadOnlySpan<byte> block, out ChannelBlockFlags flags, out ReadOnlySpan<byte> messages)
    {
        flags = default;
        messages = default;
        if (block.Length < BlockHeaderBytes)
        {
            return false;
        }

        coherency_block head = MemoryMarshal.Read<coherency_block>(block);
        flags = (ChannelBlockFlags)head.flags;
        messages = block[BlockHeaderBytes..];
        return head.bytes == block.Length;
    }

    /// <summary>Takes the next message off; false when it is malformed.</summary>
    /// <param name="kind">None for one that is not known, which is to be passed over.</param>
    /// <param name="freed">Of <see cref="ChannelMessageKind.Lock"/>: the inode's key.</param>
    public static bool TryReadNext(
        ref ReadOnlySpan<byte> messages, out ChannelMessageKind kind, out FileEvent told, out ulong freed)
    {
        told = default;
        kind = ChannelMessageKind.None;
        freed = 0;
        if (messages.Length < Unsafe.SizeOf<coherency_message>())
        {
            return false;
        }

        coherency_message head = MemoryMarshal.Read<coherency_message>(messages);
        if (head.bytes < Unsafe.SizeOf<coherency_message>() || head.bytes % Alignment != 0 || head.bytes > messages.Length)
        {
            return false;
        }

        ReadOnlySpan<byte> message = messages[..head.bytes];
        messages = messages[head.bytes..];
        switch ((ChannelMessageKind)head.kind)
        {
            case ChannelMessageKind.Event:
                kind = ChannelMessageKind.Event;
                return TryRead(message, out told);
            case ChannelMessageKind.Lock:
                kind = ChannelMessageKind.Lock;
                freed = message.Length == LockBytes ? MemoryMarshal.Read<coherency_lock_message>(message).inode : 0;
                return message.Length == LockBytes;
            default:
                return true;
        }
    }

    private static bool TryRead(ReadOnlySpan<byte> message, out FileEvent told)
    {
        told = default;
        if (message.Length < EventBytesMin)
        {
            return false;
        }

        coherency_event head = MemoryMarshal.Read<coherency_event>(message);
        if (head.name_length > ChannelConstants.NameBytesMax || EventBytes(head.name_length) != message.Length)
        {
            return false;
        }

        told = ToEvent(head, message);
        return !told.Name.ContainsAny((byte)0, (byte)'/');
    }

    private static FileEvent ToEvent(scoped in coherency_event head, ReadOnlySpan<byte> message) => new()
    {
        Directory = head.directory,
        Child = head.child,
        Kinds = (FileEventKinds)head.mask,
        Cookie = head.cookie,
        Flags = (FileEventFlags)head.flags,
        Name = message.Slice(EventBytesMin, head.name_length),
    };
}
