using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;

namespace Coherency.Guest.Fuse;

public sealed partial class FuseClient
{
    private const int XattrBytesMax = 65536;

    /// <param name="handle">Asks for the attributes of an open file.</param>
    public fuse_attr_out GetAttr(NodeId node, FileHandle? handle = null)
    {
        using Exchange exchange = Begin(FuseOpcode.GetAttr, node);
        exchange.Slot.Argument(new fuse_getattr_in
        {
            getattr_flags = (uint)(handle.HasValue ? FuseGetAttrFlags.Fh : FuseGetAttrFlags.None),
            fh = handle.GetValueOrDefault().Value,
        });
        return exchange.Call<fuse_attr_out>();
    }

    /// <param name="mask">STATX_* bits that are wanted.</param>
    /// <param name="flags">AT_STATX_* flags.</param>
    public fuse_statx_out Statx(NodeId node, uint mask, uint flags = 0, FileHandle? handle = null)
    {
        using Exchange exchange = Begin(FuseOpcode.Statx, node);
        exchange.Slot.Argument(new fuse_statx_in
        {
            getattr_flags = (uint)(handle.HasValue ? FuseGetAttrFlags.Fh : FuseGetAttrFlags.None),
            fh = handle.GetValueOrDefault().Value,
            sx_flags = flags,
            sx_mask = mask,
        });
        return exchange.Call<fuse_statx_out>();
    }

    /// <param name="change">Its <c>valid</c> field (<see cref="FuseSetAttrValid"/>) says what to change.</param>
    public fuse_attr_out SetAttr(NodeId node, in fuse_setattr_in change)
    {
        using Exchange exchange = Begin(FuseOpcode.SetAttr, node);
        exchange.Slot.Argument(change);
        return exchange.Call<fuse_attr_out>();
    }

    /// <param name="mask">R_OK 4, W_OK 2, X_OK 1 or F_OK 0.</param>
    public void Access(NodeId node, uint mask)
    {
        using Exchange exchange = Begin(FuseOpcode.Access, node);
        exchange.Slot.Argument(new fuse_access_in { mask = mask });
        exchange.Call();
    }

    public fuse_kstatfs StatFs(NodeId node)
    {
        using Exchange exchange = Begin(FuseOpcode.StatFs, node);
        return exchange.Call<fuse_statfs_out>().st;
    }

    /// <summary>Writes back the whole file system that the node is on.</summary>
    public void SyncFs(NodeId node)
    {
        using Exchange exchange = Begin(FuseOpcode.SyncFs, node);
        exchange.Slot.Argument(default(fuse_syncfs_in));
        exchange.Call();
    }

    public byte[] GetXattr(NodeId node, ReadOnlySpan<byte> name, int bytesMax = XattrBytesMax)
    {
        using Exchange exchange = Begin(FuseOpcode.GetXattr, node);
        exchange.Slot.Argument(new fuse_getxattr_in { size = (uint)bytesMax });
        exchange.Slot.Name(name);
        return exchange.CallForData(bytesMax).ToArray();
    }

    /// <summary>Asks how long an attribute's value is, in bytes.</summary>
    public int GetXattrLength(NodeId node, ReadOnlySpan<byte> name)
    {
        using Exchange exchange = Begin(FuseOpcode.GetXattr, node);
        exchange.Slot.Argument(default(fuse_getxattr_in));
        exchange.Slot.Name(name);
        return (int)exchange.Call<fuse_getxattr_out>().size;
    }

    /// <param name="flags">XATTR_CREATE 1, XATTR_REPLACE 2.</param>
    public void SetXattr(NodeId node, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, uint flags = 0)
    {
        using Exchange exchange = Begin(FuseOpcode.SetXattr, node);
        fuse_setxattr_in argument = new() { size = (uint)value.Length, flags = flags };
        if (Connection.Flags.HasFlag(FuseInitFlags.SetxattrExt))
        {
            exchange.Slot.Argument(argument);
        }
        else
        {
            // The struct of before FUSE_SETXATTR_EXT: its first two fields.
            ulong compatible = argument.size | ((ulong)argument.flags << 32);
            exchange.Slot.Argument(compatible);
        }

        exchange.Slot.Name(name);
        value.CopyTo(exchange.Slot.Data);
        exchange.Slot.SendData(value.Length);
        exchange.Call();
    }

    /// <returns>Names, each with a NUL after it.</returns>
    public byte[] ListXattr(NodeId node, int bytesMax = XattrBytesMax)
    {
        using Exchange exchange = Begin(FuseOpcode.ListXattr, node);
        exchange.Slot.Argument(new fuse_getxattr_in { size = (uint)bytesMax });
        return exchange.CallForData(bytesMax).ToArray();
    }

    /// <summary>Asks how long the list of names is, in bytes.</summary>
    public int ListXattrLength(NodeId node)
    {
        using Exchange exchange = Begin(FuseOpcode.ListXattr, node);
        exchange.Slot.Argument(default(fuse_getxattr_in));
        return (int)exchange.Call<fuse_getxattr_out>().size;
    }

    public void RemoveXattr(NodeId node, ReadOnlySpan<byte> name)
    {
        using Exchange exchange = Begin(FuseOpcode.RemoveXattr, node);
        exchange.Slot.Name(name);
        exchange.Call();
    }
}
