using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;

namespace Coherency.Guest.Fuse;

public sealed partial class FuseClient
{
    /// <summary>What glibc's readdir asks for at a time.</summary>
    private const int DirectoryBytes = 32 * 1024;

    public fuse_open_out OpenDir(NodeId node)
    {
        using Exchange exchange = Begin(FuseOpcode.OpenDir, node);
        exchange.Slot.Argument(default(fuse_open_in));
        return exchange.Call<fuse_open_out>();
    }

    /// <summary>Entries from position <paramref name="offset"/> on; none at the end.</summary>
    /// <param name="bytes">Size of the reply, at most.</param>
    public List<DirectoryRecord> ReadDir(NodeId node, FileHandle handle, ulong offset, int bytes = DirectoryBytes)
    {
        using Exchange exchange = Begin(FuseOpcode.ReadDir, node);
        exchange.Slot.Argument(new fuse_read_in { fh = handle.Value, offset = offset, size = (uint)bytes });
        return DirectoryRecord.ParseAll(exchange.CallForData(bytes), plus: false);
    }

    /// <summary>Like <see cref="ReadDir"/> with a lookup of each entry but "." and "..": one reference each to forget.</summary>
    public List<DirectoryRecord> ReadDirPlus(NodeId node, FileHandle handle, ulong offset, int bytes = DirectoryBytes)
    {
        using Exchange exchange = Begin(FuseOpcode.ReadDirPlus, node);
        exchange.Slot.Argument(new fuse_read_in { fh = handle.Value, offset = offset, size = (uint)bytes });
        return DirectoryRecord.ParseAll(exchange.CallForData(bytes), plus: true);
    }

    public void ReleaseDir(NodeId node, FileHandle handle) =>
        ReleaseHandle(FuseOpcode.ReleaseDir, node, handle, FuseReleaseFlags.None, lockOwner: 0);

    public void FsyncDir(NodeId node, FileHandle handle, bool dataOnly = false) =>
        SyncHandle(FuseOpcode.FsyncDir, node, handle, dataOnly);
}
