using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;

namespace Coherency.Guest.Fuse;

public sealed unsafe partial class FuseClient
{
    /// <param name="flags">O_* as a program in the guest gives them.</param>
    public fuse_open_out Open(NodeId node, int flags, FuseOpenInFlags openFlags = FuseOpenInFlags.None)
    {
        using Exchange exchange = Begin(FuseOpcode.Open, node);
        exchange.Slot.Argument(new fuse_open_in { flags = (uint)flags, open_flags = (uint)openFlags });
        return exchange.Call<fuse_open_out>();
    }

    /// <summary>Makes a file and opens it.</summary>
    public CreatedFile Create(NodeId parent, ReadOnlySpan<byte> name, int flags, uint mode) =>
        CreateFile(FuseOpcode.Create, parent, name, flags, mode);

    /// <summary>Makes and opens a file without a name.</summary>
    public CreatedFile TmpFile(NodeId parent, int flags, uint mode) =>
        CreateFile(FuseOpcode.TmpFile, parent, "/"u8, flags, mode);

    /// <summary>Fills <paramref name="buffer"/>, up to what one request can move; returns bytes, less at the end of the file.</summary>
    /// <param name="openFlags">O_* that the file has now.</param>
    public int Read(NodeId node, FileHandle handle, long offset, Span<byte> buffer, int openFlags = OpenFlags.O_RDONLY)
    {
        int bytes = Math.Min(buffer.Length, Connection.Options.DataBytesMax);
        using Exchange exchange = Begin(FuseOpcode.Read, node);
        exchange.Slot.Argument(new fuse_read_in { fh = handle.Value, offset = (ulong)offset, size = (uint)bytes, flags = (uint)openFlags });
        ReadOnlySpan<byte> data = exchange.CallForData(bytes);
        data.CopyTo(buffer);
        return data.Length;
    }

    /// <summary>Writes up to what one request can move; returns bytes.</summary>
    /// <param name="openFlags">O_* that the file was opened with.</param>
    public int Write(
        NodeId node, FileHandle handle, long offset, ReadOnlySpan<byte> data, FuseWriteFlags flags = FuseWriteFlags.None,
        int openFlags = OpenFlags.O_WRONLY)
    {
        int bytes = Math.Min(data.Length, Connection.WriteBytesMax);
        using Exchange exchange = Begin(FuseOpcode.Write, node);
        exchange.Slot.Argument(new fuse_write_in
        {
            fh = handle.Value,
            offset = (ulong)offset,
            size = (uint)bytes,
            write_flags = (uint)flags,
            flags = (uint)openFlags,
        });
        data[..bytes].CopyTo(exchange.Slot.Data);
        exchange.Slot.SendData(bytes);
        return (int)exchange.Call<fuse_write_out>().size;
    }

    /// <summary>One close of an open file; drops the owner's record locks.</summary>
    public void Flush(NodeId node, FileHandle handle, ulong lockOwner = 0)
    {
        using Exchange exchange = Begin(FuseOpcode.Flush, node);
        exchange.Slot.Argument(new fuse_flush_in { fh = handle.Value, lock_owner = lockOwner });
        exchange.Call();
    }

    /// <summary>The last close of an open file.</summary>
    public void Release(NodeId node, FileHandle handle, FuseReleaseFlags flags = FuseReleaseFlags.None, ulong lockOwner = 0) =>
        ReleaseHandle(FuseOpcode.Release, node, handle, flags, lockOwner);

    public void Fsync(NodeId node, FileHandle handle, bool dataOnly = false) =>
        SyncHandle(FuseOpcode.Fsync, node, handle, dataOnly);

    /// <param name="mode">FALLOC_FL_* bits.</param>
    public void Fallocate(NodeId node, FileHandle handle, uint mode, long offset, long length)
    {
        using Exchange exchange = Begin(FuseOpcode.Fallocate, node);
        exchange.Slot.Argument(new fuse_fallocate_in { fh = handle.Value, offset = (ulong)offset, length = (ulong)length, mode = mode });
        exchange.Call();
    }

    /// <param name="whence">SEEK_DATA 3, SEEK_HOLE 4.</param>
    public long LSeek(NodeId node, FileHandle handle, long offset, uint whence)
    {
        using Exchange exchange = Begin(FuseOpcode.LSeek, node);
        exchange.Slot.Argument(new fuse_lseek_in { fh = handle.Value, offset = (ulong)offset, whence = whence });
        return (long)exchange.Call<fuse_lseek_out>().offset;
    }

    /// <returns>Bytes copied.</returns>
    public long CopyFileRange(in fuse_copy_file_range_in range, NodeId source)
    {
        using Exchange exchange = Begin(FuseOpcode.CopyFileRange, source);
        exchange.Slot.Argument(range);
        return exchange.Call<fuse_write_out>().size;
    }

    /// <returns>Bytes copied; may be more than 32 bits hold.</returns>
    public long CopyFileRange64(in fuse_copy_file_range_in range, NodeId source)
    {
        using Exchange exchange = Begin(FuseOpcode.CopyFileRange64, source);
        exchange.Slot.Argument(range);
        return (long)exchange.Call<fuse_copy_file_range_out>().bytes_copied;
    }

    private CreatedFile CreateFile(FuseOpcode opcode, NodeId parent, ReadOnlySpan<byte> name, int flags, uint mode)
    {
        using Exchange exchange = Begin(opcode, parent);
        exchange.Slot.Argument(new fuse_create_in { flags = (uint)flags, mode = CreationMode(mode), umask = Caller.Umask });
        exchange.Slot.Name(name);
        AppendExtensions(exchange);
        exchange.Slot.ExpectReply<fuse_entry_out>();
        exchange.Slot.ExpectMore<fuse_open_out>();
        exchange.Check();
        return new CreatedFile(exchange.Slot.ReadReply<fuse_entry_out>(), exchange.Slot.ReadReply<fuse_open_out>(sizeof(fuse_entry_out)));
    }

    private void ReleaseHandle(FuseOpcode opcode, NodeId node, FileHandle handle, FuseReleaseFlags flags, ulong lockOwner)
    {
        using Exchange exchange = Begin(opcode, node);
        exchange.Slot.Argument(new fuse_release_in { fh = handle.Value, release_flags = (uint)flags, lock_owner = lockOwner });
        exchange.Call();
    }

    private void SyncHandle(FuseOpcode opcode, NodeId node, FileHandle handle, bool dataOnly)
    {
        using Exchange exchange = Begin(opcode, node);
        exchange.Slot.Argument(new fuse_fsync_in
        {
            fh = handle.Value,
            fsync_flags = (uint)(dataOnly ? FuseFsyncFlags.Fdatasync : FuseFsyncFlags.None),
        });
        exchange.Call();
    }
}
