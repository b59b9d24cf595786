using Coherency.Core.Fuse;

namespace Coherency.Host.Server.Statistics;

/// <summary>
/// Operations that take about a microsecond, so that a look at the clock for each would be a few hundredths of them. They wait
/// for no disk that they would not wait for again: what they take is much the same each time.
/// </summary>
internal static class CheapOperations
{
    private const ulong Bits =
        1UL << (int)FuseOpcode.Lookup | 1UL << (int)FuseOpcode.Forget | 1UL << (int)FuseOpcode.BatchForget
        | 1UL << (int)FuseOpcode.GetAttr | 1UL << (int)FuseOpcode.Statx | 1UL << (int)FuseOpcode.Access
        | 1UL << (int)FuseOpcode.StatFs | 1UL << (int)FuseOpcode.ReadLink | 1UL << (int)FuseOpcode.LSeek
        | 1UL << (int)FuseOpcode.GetXattr | 1UL << (int)FuseOpcode.ListXattr;

    public static bool Contains(FuseOpcode opcode) => (Bits >> (int)opcode & 1) != 0;
}
