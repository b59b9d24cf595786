using System.Buffers.Binary;
using Coherency.Core.Fuse;
using Coherency.Core.Versioning;
using Coherency.Core.Versioning.Abi;

namespace Coherency.Host.Server;

/// <summary>Clients that can do without OPEN and OPENDIR (docs/version-table.md, "Attaching").</summary>
public sealed partial class FuseSession
{
    private const FuseInitFlags OpensAreOptional = FuseInitFlags.NoOpenSupport | FuseInitFlags.NoOpendirSupport;

    /// <summary>Has the client open nothing any more, if all agree. It stays so until the conversation ends.</summary>
    private AttachFlags DoWithoutOpens(IFileSystem files)
    {
        bool canDo = !_options.AskOpens && (_offered & OpensAreOptional) == OpensAreOptional && files.TryDoWithoutOpens();
        return (canDo ? AttachFlags.NoOpen : AttachFlags.None) | (files.IsReadOnly ? AttachFlags.ReadOnly : AttachFlags.None);
    }

    /// <summary>
    /// Takes what the client says of files that it holds open, or has closed. There is no such attribute, and success would have
    /// the client's kernel ask for the root's attributes again.
    /// </summary>
    private bool TakeOpenedFiles(FuseRequest request, IFileSystem files, EntryName attribute, ReadOnlySpan<byte> nodes)
    {
        bool opened = attribute.Bytes.SequenceEqual(VersionTableLayout.OpenedAttribute);
        if (_view is null || request.Node != NodeId.Root || (!opened && !attribute.Bytes.SequenceEqual(VersionTableLayout.ClosedAttribute)))
        {
            return false;
        }

        int count = Math.Min(nodes.Length / sizeof(ulong), VersionTableConstants.OpenedMax);
        for (int i = 0; i < count; i++)
        {
            NodeId node = new(BinaryPrimitives.ReadUInt64LittleEndian(nodes[(i * sizeof(ulong))..]));
            if (opened)
            {
                files.KeepOpened(node);
            }
            else
            {
                files.LetClosed(node);
            }
        }

        return true;
    }
}
