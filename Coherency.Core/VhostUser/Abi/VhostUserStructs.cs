using System.Runtime.InteropServices;

namespace Coherency.Core.VhostUser.Abi;

// Layouts of the vhost-user protocol (QEMU docs/interop/vhost-user.rst), fields in its spelling.

/// <summary>Starts every message; <c>size</c> is the payload's, in bytes.</summary>
[StructLayout(LayoutKind.Sequential, Size = 12)]
public struct vhost_user_header
{
    public uint request;
    public uint flags;
    public uint size;
}

/// <summary>A vring state description: an index and a number.</summary>
[StructLayout(LayoutKind.Sequential, Size = 8)]
public struct vhost_vring_state
{
    public uint index;
    public uint num;
}

/// <summary>A vring address description; ring addresses are of the front end's address space.</summary>
[StructLayout(LayoutKind.Sequential, Size = 40)]
public struct vhost_vring_addr
{
    public uint index;
    public uint flags;
    public ulong descriptor;
    public ulong used;
    public ulong available;
    public ulong log;
}

/// <summary>A memory region description; <c>size</c> in bytes.</summary>
[StructLayout(LayoutKind.Sequential, Size = 32)]
public struct vhost_user_mem_region
{
    public ulong guest_address;
    public ulong size;
    public ulong user_address;
    public ulong mmap_offset;
}

/// <summary>Starts SET_MEM_TABLE, followed by the regions.</summary>
[StructLayout(LayoutKind.Sequential, Size = 8)]
public struct vhost_user_mem_table
{
    public uint num_regions;
    public uint padding;
}

/// <summary>ADD_MEM_REG and REM_MEM_REG.</summary>
[StructLayout(LayoutKind.Sequential, Size = 40)]
public struct vhost_user_single_mem_region
{
    public ulong padding;
    public vhost_user_mem_region region;
}

/// <summary>Starts GET_CONFIG and SET_CONFIG, followed by <c>size</c> bytes.</summary>
[StructLayout(LayoutKind.Sequential, Size = 12)]
public struct vhost_user_config
{
    public uint offset;
    public uint size;
    public uint flags;
}

/// <summary>Reply of GET_SHMEM_CONFIG: the size of each shared memory region by its id, in bytes.</summary>
[StructLayout(LayoutKind.Sequential, Size = 2056)]
public unsafe struct vhost_user_shmem_config
{
    public uint nregions;
    public uint padding;
    public fixed ulong memory_sizes[256];
}

/// <summary>SHMEM_MAP and SHMEM_UNMAP on the back-end channel; offsets and <c>len</c> in bytes.</summary>
[StructLayout(LayoutKind.Sequential, Size = 40)]
public unsafe struct vhost_user_mmap
{
    public byte shmid;
    public fixed byte padding[7];
    public ulong fd_offset;
    public ulong shm_offset;
    public ulong len;
    public ulong flags;
}
