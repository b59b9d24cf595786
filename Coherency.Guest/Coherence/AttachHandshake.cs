using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Coherency.Core.Fuse;
using Coherency.Core.Versioning;
using Coherency.Core.Versioning.Abi;
using Coherency.Guest.Fuse;

namespace Coherency.Guest.Coherence;

/// <summary>How a session says that it consults the version table (docs/version-table.md, "Attaching").</summary>
public static class AttachHandshake
{
    /// <param name="withoutOpens">Offer the daemon to open nothing; <see cref="FuseConnection.WithoutOpens"/> says what came of it.</param>
    /// <exception cref="VersionTableException">The table is not the one that the daemon moves for this session.</exception>
    /// <exception cref="FuseException">ENODATA: the daemon does not serve this guest coherently.</exception>
    public static AttachFlags Perform(FuseClient fuse, VersionTableReader table, bool withoutOpens = false)
    {
        byte[] answer = fuse.GetXattr(
            NodeId.Root, withoutOpens ? VersionTableLayout.AttachWithoutOpensAttribute : VersionTableLayout.AttachAttribute);
        if (answer.Length != Unsafe.SizeOf<coherency_attach>())
        {
            throw new VersionTableException($"the daemon answered the handshake with {answer.Length} bytes: it is of another version");
        }

        // SAFETY: the answer was found to have exactly its size.
        coherency_attach attach = MemoryMarshal.Read<coherency_attach>(answer);
        if (attach.layout != VersionTableConstants.Layout || attach.instance_id != table.InstanceId || attach.root_key != table.RootKey)
        {
            throw new VersionTableException(
                $"the table is not this session's: instance {table.InstanceId:x}, and the daemon speaks of {attach.instance_id:x}");
        }

        AttachFlags flags = (AttachFlags)attach.flags;
        fuse.Connection.WithoutOpens |= flags.HasFlag(AttachFlags.NoOpen);
        return flags;
    }

    /// <summary>Ends that.</summary>
    public static void End(FuseClient fuse) => fuse.RemoveXattr(NodeId.Root, VersionTableLayout.AttachAttribute);
}
