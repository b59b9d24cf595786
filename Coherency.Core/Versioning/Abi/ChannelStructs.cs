using System.Runtime.InteropServices;

namespace Coherency.Core.Versioning.Abi;

// Layouts of guest/linux/coherency_channel.h, which docs/version-table.md explains; fields in its spelling.

/// <summary>Begins or ends what a client is told.</summary>
[StructLayout(LayoutKind.Sequential, Size = 8)]
public struct coherency_subscription
{
    public uint on;
    public uint mask;
}

/// <summary>Starts an answer; messages follow.</summary>
[StructLayout(LayoutKind.Sequential, Size = 8)]
public struct coherency_block
{
    public uint bytes;
    public uint flags;
}

/// <summary>Starts a message.</summary>
[StructLayout(LayoutKind.Sequential, Size = 8)]
public struct coherency_message
{
    public ushort kind;
    public ushort bytes;
    public uint reserved;
}

/// <summary>A message of <see cref="ChannelMessageKind.Event"/>; the name follows, filled up with zeros.</summary>
[StructLayout(LayoutKind.Sequential, Size = 40)]
public struct coherency_event
{
    public coherency_message message;
    public ulong directory;
    public ulong child;
    public uint mask;
    public uint cookie;
    public ushort flags;
    public ushort name_length;
    public uint reserved;
}

/// <summary>A message of <see cref="ChannelMessageKind.Lock"/>: a lock on the inode may be free.</summary>
[StructLayout(LayoutKind.Sequential, Size = 16)]
public struct coherency_lock_message
{
    public coherency_message message;
    public ulong inode;
}

/// <summary>Numbers of the channel.</summary>
public static class ChannelConstants
{
    /// <summary>In coherency_subscription.mask, beside <see cref="FileEventKinds"/> (COHERENCY_SUBSCRIBE_LOCKS).</summary>
    public const uint SubscribeLocks = 0x80000000;

    public const int BlockBytesMax = 8064;
    public const int BlockBytesMin = 4096;
    public const int HoldSecondsMax = 86400;
    public const int NameBytesMax = 255;
}

/// <summary>coherency_block.flags.</summary>
[Flags]
public enum ChannelBlockFlags : uint
{
    None = 0,
    All = 1,
    Locks = 2,
}

/// <summary>coherency_message.kind.</summary>
public enum ChannelMessageKind : ushort
{
    None = 0,
    Event = 1,
    Lock = 2,
}

/// <summary>Which locks can be asked for without waiting at the daemon (COHERENCY_LOCKS_*).</summary>
[Flags]
public enum AskedLocks : uint
{
    None = 0,
    Record = 1,
    Flock = 2,
}

/// <summary>Beside the type of a lock that a process waits for (COHERENCY_LOCK_*).</summary>
[Flags]
public enum LockAskFlags : uint
{
    None = 0,
    Ask = 0x10,
    Again = 0x20,
    Leave = 0x40,
    OpenFile = 0x80,
    All = 0xF0,
}

/// <summary>What happened, by the numbers of inotify(7): coherency_event.mask, coherency_subscription.mask.</summary>
[Flags]
public enum FileEventKinds : uint
{
    None = 0,
    Modify = 0x2,
    Attributes = 0x4,
    CloseWrite = 0x8,
    MovedFrom = 0x40,
    MovedTo = 0x80,
    Create = 0x100,
    Delete = 0x200,
    All = 0x3CE,
    IsDirectory = 0x40000000,
}

/// <summary>coherency_event.flags.</summary>
[Flags]
public enum FileEventFlags : ushort
{
    None = 0,
    Exists = 1,
    Gone = 2,
    Changed = 4,
}
