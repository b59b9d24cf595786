using System.Buffers.Binary;
using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Core.Versioning;
using Coherency.Core.Versioning.Abi;
using Coherency.Host.Coherence.Holdings;

namespace Coherency.Host.Server;

/// <summary>Inodes without a name (docs/version-table.md, "Handles").</summary>
public sealed partial class FuseSession
{
    /// <param name="isParent">Of "..", and not of ".".</param>
    private Errno LookupUnnamed(FuseRequest request, IFileSystem files, bool isParent)
    {
        HeldStart start = StartHolding();
        Errno error = isParent ? files.LookupParent(request.Node, out Entry entry) : files.LookupNode(request.Node, out entry);
        if (error == Errno.None && entry.Node != NodeId.Root)
        {
            HoldUnnamed(files, start, entry);
        }

        return ReplyEntry(request, error, entry);
    }

    /// <summary>Handles are for clients that consult the version table; to others there are no such attributes.</summary>
    /// <param name="value">Empty when the client only asks how long the answer is.</param>
    private bool TryAnswerHandle(
        FuseRequest request, IFileSystem files, EntryName attribute, Span<byte> value, out Errno error, out int length)
    {
        error = Errno.None;
        length = 0;
        if (_view is not { IsAttached: true } || !attribute.Bytes.StartsWith(VersionTableLayout.HandleAttribute))
        {
            return false;
        }

        if (attribute.Length == VersionTableLayout.HandleAttribute.Length)
        {
            error = files.GetHandle(request.Node, value, out length);
            return true;
        }

        if (!attribute.Bytes.StartsWith(VersionTableLayout.ByHandleAttributePrefix))
        {
            return false;
        }

        error = FindByHandle(request, files, attribute.Bytes[VersionTableLayout.ByHandleAttributePrefix.Length..], value, out length);
        return true;
    }

    private static Errno FindByHandle(FuseRequest request, IFileSystem files, ReadOnlySpan<byte> digits, Span<byte> value, out int length)
    {
        length = sizeof(ulong);
        if (value.Length < length)
        {
            return value.IsEmpty ? Errno.None : Errno.ERANGE;
        }

        Span<byte> handle = stackalloc byte[VersionTableConstants.HandleBytesMax];
        if (Convert.FromHexString(digits, handle, out int consumed, out int written) != System.Buffers.OperationStatus.Done
            || consumed != digits.Length)
        {
            return Errno.ESTALE;
        }

        Errno error = files.FindByHandle(request.Node, handle[..written], out NodeId node);
        BinaryPrimitives.WriteUInt64LittleEndian(value, node.Value);
        return error;
    }
}
