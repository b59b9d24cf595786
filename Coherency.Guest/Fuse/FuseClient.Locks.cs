using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;

namespace Coherency.Guest.Fuse;

public sealed partial class FuseClient
{
    /// <summary>Which lock stands in the way of <paramref name="wanted"/>; type F_UNLCK when none does.</summary>
    public fuse_file_lock GetLk(NodeId node, FileHandle handle, ulong owner, in fuse_file_lock wanted)
    {
        using Exchange exchange = Begin(FuseOpcode.GetLk, node);
        exchange.Slot.Argument(new fuse_lk_in { fh = handle.Value, owner = owner, lk = wanted });
        return exchange.Call<fuse_lk_out>().lk;
    }

    /// <summary>Takes or drops a record lock; EAGAIN when another holds it.</summary>
    public void SetLk(NodeId node, FileHandle handle, ulong owner, in fuse_file_lock wanted) =>
        Lock(FuseOpcode.SetLk, node, new fuse_lk_in { fh = handle.Value, owner = owner, lk = wanted });

    /// <summary>Takes a record lock, waiting for it without end; other threads' requests go on meanwhile.</summary>
    public void SetLkw(NodeId node, FileHandle handle, ulong owner, in fuse_file_lock wanted) =>
        Lock(FuseOpcode.SetLkw, node, new fuse_lk_in { fh = handle.Value, owner = owner, lk = wanted });

    /// <summary>Takes or drops a lock of flock(2), which belongs to the open file.</summary>
    /// <param name="type">F_RDLCK, F_WRLCK or F_UNLCK.</param>
    /// <param name="wait">Wait without end; otherwise EAGAIN when another holds it.</param>
    public void Flock(NodeId node, FileHandle handle, ulong owner, short type, bool wait = false)
    {
        fuse_lk_in argument = new()
        {
            fh = handle.Value,
            owner = owner,
            lk = new fuse_file_lock { end = long.MaxValue, type = (uint)type },
            lk_flags = (uint)FuseLockFlags.Flock,
        };
        Lock(wait ? FuseOpcode.SetLkw : FuseOpcode.SetLk, node, argument);
    }

    private void Lock(FuseOpcode opcode, NodeId node, in fuse_lk_in argument)
    {
        using Exchange exchange = Begin(opcode, node);
        exchange.Slot.Argument(argument);
        exchange.Slot.ExpectReply();
        WaitPolicy policy = Connection.Options.Wait;
        exchange.Check(opcode == FuseOpcode.SetLkw ? policy with { TimeoutMs = -1 } : policy);
    }
}
