using System.Buffers.Binary;
using Coherency.Core.Versioning;

namespace Coherency.Host.Passthrough;

/// <summary>Makes inode keys.</summary>
internal interface IInodeKeyHash
{
    ulong Hash(ulong fileSystemId, ushort handleType, ReadOnlySpan<byte> handle);
}

/// <summary>xxh64 of the handle bytes, seeded with xxh64 of file system id and handle type.</summary>
internal sealed class XxInodeKeyHash : IInodeKeyHash
{
    public ulong Hash(ulong fileSystemId, ushort handleType, ReadOnlySpan<byte> handle)
    {
        Span<byte> prefix = stackalloc byte[12];
        BinaryPrimitives.WriteUInt64LittleEndian(prefix, fileSystemId);
        BinaryPrimitives.WriteUInt32LittleEndian(prefix[8..], handleType);
        return XxHash64.Hash(handle, XxHash64.Hash(prefix));
    }
}
