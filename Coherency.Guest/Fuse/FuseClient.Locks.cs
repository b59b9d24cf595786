using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;
using Coherency.Core.Versioning.Abi;

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

    /// <summary>
    /// Asks for a lock that somebody waits for, without waiting at the daemon: None when it is given, EAGAIN or EBUSY when not yet.
    /// For the module's own way see docs/version-table.md, "Waiting for locks".
    /// </summary>
    /// <param name="flags">Ask, then Again; Leave to wait no more.</param>
    public Errno AskLock(NodeId node, FileHandle handle, ulong owner, fuse_file_lock wanted, LockAskFlags flags, bool isFlock = false)
    {
        wanted.type |= (uint)flags;
        FuseOpcode opcode = flags.HasFlag(LockAskFlags.Leave) ? FuseOpcode.SetLk : FuseOpcode.SetLkw;
        using Exchange exchange = Begin(opcode, node);
        exchange.Slot.Argument(new fuse_lk_in
        {
            fh = handle.Value,
            owner = owner,
            lk = wanted,
            lk_flags = isFlock ? (uint)FuseLockFlags.Flock : 0,
        });
        exchange.Slot.ExpectReply();
        try
        {
            exchange.Check(Connection.Options.Wait);
            return Errno.None;
        }
        catch (FuseException exception)
        {
            return exception.Errno;
        }
    }

    private void Lock(FuseOpcode opcode, NodeId node, in fuse_lk_in argument)
    {
        while (!TryLock(opcode, node, argument))
        {
        }
    }

    /// <summary>False when the daemon has given up a wait that became long, and wants to be asked again.</summary>
    private bool TryLock(FuseOpcode opcode, NodeId node, in fuse_lk_in argument)
    {
        using Exchange exchange = Begin(opcode, node);
        exchange.Slot.Argument(argument);
        exchange.Slot.ExpectReply();
        WaitPolicy policy = Connection.Options.Wait;
        try
        {
            exchange.Check(opcode == FuseOpcode.SetLkw ? policy with { TimeoutMs = -1 } : policy);
            return true;
        }
        catch (FuseException exception) when (opcode == FuseOpcode.SetLkw && exception.Errno == Errno.EINTR)
        {
            return false;
        }
    }
}
