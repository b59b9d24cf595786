using System.Runtime.InteropServices;
using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;

namespace Coherency.Guest.Fuse;

public sealed partial class FuseClient
{
    /// <summary>
    /// Finds a name; each success is one reference to give back with <see cref="Forget"/>. Node id 0: no such name, cacheable.
    /// </summary>
    public fuse_entry_out Lookup(NodeId parent, ReadOnlySpan<byte> name)
    {
        using Exchange exchange = Begin(FuseOpcode.Lookup, parent);
        exchange.Slot.Name(name);
        return exchange.Call<fuse_entry_out>();
    }

    /// <summary>Gives references back; there is no reply to wait for.</summary>
    public void Forget(NodeId node, ulong count)
    {
        RequestSlot slot = Connection.HighPriorityQueue.Acquire();
        slot.Begin(FuseOpcode.Forget, node, Caller);
        slot.Argument(new fuse_forget_in { nlookup = count });
        SendWithoutReply(slot);
    }

    /// <summary>Gives references to many nodes back, at most some 700 per call; there is no reply to wait for.</summary>
    public void BatchForget(ReadOnlySpan<fuse_forget_one> nodes)
    {
        RequestSlot slot = Connection.HighPriorityQueue.Acquire();
        slot.Begin(FuseOpcode.BatchForget, default, Caller);
        slot.Argument(new fuse_batch_forget_in { count = (uint)nodes.Length });
        slot.AppendReadable(MemoryMarshal.AsBytes(nodes));
        SendWithoutReply(slot);
    }

    /// <summary>Waits until the daemon has taken all forgets.</summary>
    public void DrainForgets() => Connection.HighPriorityQueue.Drain();

    public fuse_entry_out Symlink(NodeId parent, ReadOnlySpan<byte> name, ReadOnlySpan<byte> target)
    {
        using Exchange exchange = Begin(FuseOpcode.Symlink, parent);
        exchange.Slot.Name(name);
        exchange.Slot.Name(target);
        return CallForEntry(exchange);
    }

    /// <param name="mode">Type and permissions.</param>
    /// <param name="device">As the kernel's new_encode_dev has it; 0 unless a device node is made.</param>
    public fuse_entry_out MkNod(NodeId parent, ReadOnlySpan<byte> name, uint mode, uint device = 0)
    {
        using Exchange exchange = Begin(FuseOpcode.MkNod, parent);
        exchange.Slot.Argument(new fuse_mknod_in { mode = CreationMode(mode), rdev = device, umask = Caller.Umask });
        exchange.Slot.Name(name);
        return CallForEntry(exchange);
    }

    public fuse_entry_out MkDir(NodeId parent, ReadOnlySpan<byte> name, uint mode)
    {
        using Exchange exchange = Begin(FuseOpcode.MkDir, parent);
        exchange.Slot.Argument(new fuse_mkdir_in { mode = CreationMode(mode), umask = Caller.Umask });
        exchange.Slot.Name(name);
        return CallForEntry(exchange);
    }

    public void Unlink(NodeId parent, ReadOnlySpan<byte> name)
    {
        using Exchange exchange = Begin(FuseOpcode.Unlink, parent);
        exchange.Slot.Name(name);
        exchange.Call();
    }

    public void RmDir(NodeId parent, ReadOnlySpan<byte> name)
    {
        using Exchange exchange = Begin(FuseOpcode.RmDir, parent);
        exchange.Slot.Name(name);
        exchange.Call();
    }

    public void Rename(NodeId parent, ReadOnlySpan<byte> name, NodeId newParent, ReadOnlySpan<byte> newName)
    {
        using Exchange exchange = Begin(FuseOpcode.Rename, parent);
        exchange.Slot.Argument(new fuse_rename_in { newdir = newParent.Value });
        exchange.Slot.Name(name);
        exchange.Slot.Name(newName);
        exchange.Call();
    }

    /// <param name="flags">RENAME_* of <see cref="OpenFlags"/>.</param>
    public void Rename2(NodeId parent, ReadOnlySpan<byte> name, NodeId newParent, ReadOnlySpan<byte> newName, uint flags)
    {
        using Exchange exchange = Begin(FuseOpcode.Rename2, parent);
        exchange.Slot.Argument(new fuse_rename2_in { newdir = newParent.Value, flags = flags });
        exchange.Slot.Name(name);
        exchange.Slot.Name(newName);
        exchange.Call();
    }

    /// <summary>Gives an existing file another name.</summary>
    public fuse_entry_out Link(NodeId node, NodeId newParent, ReadOnlySpan<byte> newName)
    {
        using Exchange exchange = Begin(FuseOpcode.Link, newParent);
        exchange.Slot.Argument(new fuse_link_in { oldnodeid = node.Value });
        exchange.Slot.Name(newName);
        return exchange.Call<fuse_entry_out>();
    }

    /// <returns>The target as it is stored, without a NUL.</returns>
    public byte[] ReadLink(NodeId node)
    {
        using Exchange exchange = Begin(FuseOpcode.ReadLink, node);
        return exchange.CallForData(PathBytesMax).ToArray();
    }

    private const int PathBytesMax = 4096;

    private void SendWithoutReply(RequestSlot slot)
    {
        RequestQueue queue = Connection.HighPriorityQueue;
        queue.Submit(slot);

        // In flight still: the queue frees it when the device returns it.
        queue.Release(slot);
    }
}
