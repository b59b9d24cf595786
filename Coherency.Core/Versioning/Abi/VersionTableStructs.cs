using System.Runtime.InteropServices;

namespace Coherency.Core.Versioning.Abi;

// Layouts of guest/linux/coherency_table.h, which docs/version-table.md explains; fields in its spelling.

/// <summary>Starts a table; the slots follow.</summary>
[StructLayout(LayoutKind.Sequential, Size = 4096)]
public unsafe struct coherency_table_header
{
    public ulong magic;
    public uint layout;
    public uint header_bytes;
    public ulong slot_count;
    public ulong root_key;
    public ulong instance_id;
    public uint heartbeat_bound_ms;
    public uint reserved0;
    public fixed byte tag[36];
    public uint reserved1;
    public fixed byte reserved2[40];
    public ulong flags;
    public fixed byte reserved3[56];
    public ulong epoch;
    public fixed byte reserved4[56];
    public ulong mutations;
    public fixed byte reserved5[56];
    public ulong heartbeat;
    public fixed byte reserved6[56];
    public fixed byte reserved7[3712];
}

/// <summary>Answers the attach handshake.</summary>
[StructLayout(LayoutKind.Sequential, Size = 24)]
public struct coherency_attach
{
    public uint layout;
    public uint flags;
    public ulong instance_id;
    public ulong root_key;
}

/// <summary>Numbers of the table's layout.</summary>
public static class VersionTableConstants
{
    public const ulong Magic = 0x4241545245484F43;
    public const uint Layout = 1;
    public const int HeaderBytes = 4096;
    public const int SlotsMin = 1024;
    public const int SlotsMax = 1 << 28;
    public const int TagBytes = 36;
    public const ulong WritersMask = 0xFFFF;
    public const int VersionShift = 16;
    public const int SharedMemoryRegionId = 1;
    public const int OpenedMax = 512;
    public const int HandleBytesMax = 64;
}

/// <summary>coherency_table_header.flags.</summary>
[Flags]
public enum VersionTableFlags : ulong
{
    None = 0,
    HostWatched = 1,
}

/// <summary>coherency_attach.flags.</summary>
[Flags]
public enum AttachFlags : uint
{
    None = 0,
    NoOpen = 1,
    ReadOnly = 2,
}
