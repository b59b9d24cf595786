using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Numerics;
using System.Runtime.CompilerServices;
using Coherency.Core.Linux;

namespace Coherency.Host.Passthrough;

/// <summary>
/// What makes an inode that inode and no other: the mount it was reached through and the file handle that the kernel gives
/// for it (which holds its generation). Where there are no handles, device, inode number and birth time take their place.
/// </summary>
internal unsafe struct FileIdentity
{
    /// <summary>Type of an identity made from attributes; the kernel's own types are below 255 (FILEID_INVALID).</summary>
    public const ushort AttributesType = 0xFFFF;

    private const int AttributesBytes = 20;

    // Odd, so that to multiply by them loses nothing.
    private const ulong OddOfNumber = 0x9E37_79B9_7F4A_7C15;
    private const ulong OddOfBirth = 0xC2B2_AE3D_27D4_EB4F;

    /// <summary>As open_by_handle_at(2) takes it, unless made from attributes.</summary>
    public file_handle Handle;

    /// <summary>Index in the <see cref="MountTable"/>.</summary>
    public ushort Mount;

    public readonly ushort Type => (ushort)Handle.handle_type;

    public readonly int Length => (int)Handle.handle_bytes;

    [UnscopedRef]
    public readonly ReadOnlySpan<byte> Bytes
    {
        // SAFETY: identities are locals, on a stack, and do not move. Length is at most MaxBytes: what ReadHandle
        // leaves at success is no longer than it announced, at an error zero; SetHandle and FromAttributes copy no more
        // than there is room for.
        get => new(Unsafe.AsPointer(ref Unsafe.AsRef(in Handle.f_handle[0])), Length);
    }

    /// <summary>Asks the kernel for the handle behind a name or, with AT_EMPTY_PATH, a descriptor.</summary>
    /// <returns>Zero or -errno; EOPNOTSUPP where the file system has no handles. After an error it is empty.</returns>
    public int ReadHandle(int dirFd, byte* path, int flags, out int mountId)
    {
        int result;
        int mount;
        // SAFETY: the struct has room for the MaxBytes that are announced.
        fixed (file_handle* handle = &Handle)
        {
            handle->handle_bytes = file_handle.MaxBytes;
            result = Libc.NameToHandleAt(dirFd, path, handle, &mount, flags);
        }

        mountId = mount;
        result = result >= 0 && Handle.handle_type is < 0 or >= byte.MaxValue ? -(int)Errno.EOPNOTSUPP : result;
        if (result < 0)
        {
            // At EOVERFLOW the kernel leaves the length that the handle would need: more than there is room for.
            Handle.handle_bytes = 0;
        }

        return result;
    }

    public void SetHandle(ushort type, ReadOnlySpan<byte> handle)
    {
        Handle.handle_type = type;
        Handle.handle_bytes = (uint)handle.Length;
        // SAFETY: f_handle has MaxBytes; more, CopyTo refuses.
        fixed (byte* bytes = Handle.f_handle)
        {
            handle.CopyTo(new Span<byte>(bytes, file_handle.MaxBytes));
        }
    }

    public static FileIdentity FromAttributes(ushort mount, in statx attributes)
    {
        FileIdentity identity = new() { Mount = mount };
        identity.Handle.handle_type = AttributesType;
        identity.Handle.handle_bytes = AttributesBytes;
        // SAFETY: f_handle has MaxBytes, of a local that is copied out.
        Span<byte> bytes = new(identity.Handle.f_handle, AttributesBytes);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, attributes.stx_ino);
        BinaryPrimitives.WriteInt64LittleEndian(bytes[8..], BirthNanoseconds(attributes));
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[16..], (attributes.stx_dev_major << 20) | attributes.stx_dev_minor);
        return identity;
    }

    private static long BirthNanoseconds(in statx attributes) =>
        unchecked((attributes.stx_btime.tv_sec * 1_000_000_000) + attributes.stx_btime.tv_nsec);

    /// <summary>
    /// Inode number and birth time in 64 bits: tells an inode from all others born at the same time, and from all that had its
    /// number at other times. Two that differ in both are taken for one another once in 2^64.
    /// </summary>
    public static ulong Fingerprint(in statx attributes) =>
        (attributes.stx_ino * OddOfNumber) ^ BitOperations.RotateLeft((ulong)BirthNanoseconds(attributes) * OddOfBirth, 32);
}
