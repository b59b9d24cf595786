using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;

namespace Coherency.Guest.Fuse;

public sealed partial class FuseClient
{
    /// <summary>Has a part of a file shown in the DAX window; offsets and length in bytes.</summary>
    public void SetupMapping(NodeId node, ulong fileOffset, ulong windowOffset, ulong length, FuseSetupMappingFlags flags)
    {
        using Exchange exchange = Begin(FuseOpcode.SetupMapping, node);
        exchange.Slot.Argument(new fuse_setupmapping_in
        {
            fh = ulong.MaxValue,
            foffset = fileOffset,
            len = length,
            flags = (ulong)flags,
            moffset = windowOffset,
        });
        exchange.Call();
    }

    /// <param name="count">What the request says; Linux's is 1.</param>
    public void RemoveMapping(NodeId node, ulong windowOffset, ulong length, uint count = 1)
    {
        using Exchange exchange = Begin(FuseOpcode.RemoveMapping, node);
        exchange.Slot.Argument(new fuse_removemapping_in { count = count });
        exchange.Slot.Argument(new fuse_removemapping_one { moffset = windowOffset, len = length });
        exchange.Call();
    }
}
