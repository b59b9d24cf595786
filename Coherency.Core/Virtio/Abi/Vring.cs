using System.Runtime.InteropServices;

namespace Coherency.Core.Virtio.Abi;

// Layouts of linux/virtio_ring.h and linux/virtio_fs.h (VIRTIO 1.2, sections 2.7 and 5.11), in their spelling.

/// <summary>A descriptor: a guest-physical buffer of <c>len</c> bytes (VIRTIO 1.2, 2.7.5).</summary>
[StructLayout(LayoutKind.Sequential, Size = 16)]
public struct vring_desc
{
    public ulong addr;
    public uint len;
    public ushort flags;
    public ushort next;
}

/// <summary>Start of the available ring, followed by a 16 bit head index per entry and <c>used_event</c> (2.7.6).</summary>
[StructLayout(LayoutKind.Sequential, Size = 4)]
public struct vring_avail
{
    public ushort flags;
    public ushort idx;
}

/// <summary>An element of the used ring (2.7.8).</summary>
[StructLayout(LayoutKind.Sequential, Size = 8)]
public struct vring_used_elem
{
    public uint id;
    public uint len;
}

/// <summary>Start of the used ring, followed by its elements and <c>avail_event</c> (2.7.8).</summary>
[StructLayout(LayoutKind.Sequential, Size = 4)]
public struct vring_used
{
    public ushort flags;
    public ushort idx;
}

/// <summary>Configuration space of the file system device (5.11.4).</summary>
[StructLayout(LayoutKind.Sequential, Size = 40)]
public unsafe struct virtio_fs_config
{
    public const int TagBytes = 36;

    public fixed byte tag[TagBytes];
    public uint num_request_queues;
}

/// <summary>Flags of <see cref="vring_desc"/>, <see cref="vring_avail"/> and <see cref="vring_used"/>.</summary>
public static class VringFlags
{
    public const ushort VRING_DESC_F_NEXT = 1;
    public const ushort VRING_DESC_F_WRITE = 2;
    public const ushort VRING_DESC_F_INDIRECT = 4;
    public const ushort VRING_AVAIL_F_NO_INTERRUPT = 1;
    public const ushort VRING_USED_F_NO_NOTIFY = 1;
}
