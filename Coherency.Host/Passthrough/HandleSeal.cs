using System.Security.Cryptography;
using Coherency.Core.Linux;

namespace Coherency.Host.Passthrough;

/// <summary>
/// File handles of the host for clients to keep: sealed, for a made-up handle opens files of the same file system that are
/// outside the share. A sealed handle is its type (1 byte), the seal (11) and the handle.
/// <para>
/// The seal is the beginning of an HMAC-SHA256, which also covers what the handle was reached through: it opens nothing in
/// another share or mount, of which one may take changes that the other refuses. 88 bits are enough, because a guess can only be
/// tried by asking the daemon, and an NFS server has no room for many more: its whole handle is 64 bytes in version 3.
/// </para>
/// </summary>
/// <param name="key">Whoever knows it can make handles.</param>
internal sealed class HandleSeal(byte[] key)
{
    /// <summary>What a sealed handle has besides the handle.</summary>
    public const int HeaderBytes = 12;

    private const int SealBytes = HeaderBytes - 1;

    /// <summary>A seal that no restart of the daemon survives.</summary>
    public static HandleSeal Random() => new(RandomNumberGenerator.GetBytes(PassthroughOptions.HandleKeyBytes));

    /// <param name="target">At least <see cref="HeaderBytes"/> longer than the handle.</param>
    /// <returns>Bytes of the sealed handle.</returns>
    public int Seal(Mount mount, in FileIdentity identity, Span<byte> target)
    {
        byte type = (byte)identity.Type;
        target[0] = type;
        ComputeSeal(mount, type, identity.Bytes, target[1..HeaderBytes]);
        identity.Bytes.CopyTo(target[HeaderBytes..]);
        return HeaderBytes + identity.Length;
    }

    /// <summary>False when it was not sealed here, for this mount.</summary>
    public bool TryOpen(Mount mount, ReadOnlySpan<byte> sealedHandle, out FileIdentity identity)
    {
        identity = new FileIdentity { Mount = mount.Index };
        int length = sealedHandle.Length - HeaderBytes;
        if (length is <= 0 or > file_handle.MaxBytes)
        {
            return false;
        }

        ReadOnlySpan<byte> handle = sealedHandle[HeaderBytes..];
        Span<byte> expected = stackalloc byte[SealBytes];
        ComputeSeal(mount, sealedHandle[0], handle, expected);
        identity.SetHandle(sealedHandle[0], handle);
        return CryptographicOperations.FixedTimeEquals(expected, sealedHandle[1..HeaderBytes]);
    }

    private void ComputeSeal(Mount mount, byte type, ReadOnlySpan<byte> handle, Span<byte> target)
    {
        Span<byte> sealedBytes = stackalloc byte[mount.Scope.Length + 1 + handle.Length];
        mount.Scope.CopyTo(sealedBytes);
        sealedBytes[mount.Scope.Length] = type;
        handle.CopyTo(sealedBytes[(mount.Scope.Length + 1)..]);
        Span<byte> seal = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(key, sealedBytes, seal);
        seal[..SealBytes].CopyTo(target);
    }
}
