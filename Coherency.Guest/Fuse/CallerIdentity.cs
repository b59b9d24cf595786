namespace Coherency.Guest.Fuse;

/// <summary>On whose behalf a request is sent: the process in the guest.</summary>
/// <param name="Umask">Travels with requests that create something.</param>
/// <param name="SupplementaryGroup">Travels as an extension of such requests where FUSE_CREATE_SUPP_GROUP is agreed.</param>
/// <param name="Labels">Another extension of such requests, as it is; <see cref="LabelExtension"/> makes right ones.</param>
public sealed record CallerIdentity(
    uint Uid, uint Gid, uint Pid = 1, uint Umask = 0x12, uint? SupplementaryGroup = null, ReadOnlyMemory<byte> Labels = default)
{
    /// <summary>What stands for both ids where a client leaves them out (FUSE_INVALID_UIDGID).</summary>
    public const uint UnknownId = uint.MaxValue;

    /// <summary>The guest's root with umask 022.</summary>
    public static readonly CallerIdentity Root = new(0, 0);
}
