using System.Buffers.Binary;

namespace Coherency.Host.Translation;

/// <summary>Ids of users and groups that are in the values of some attributes: ACLs, and capabilities of a user namespace.</summary>
internal static class IdsInXattr
{
    // linux/posix_acl_xattr.h: a version, then entries of a tag, permissions and an id.
    private const uint AclVersion = 2;
    private const int AclHeaderBytes = 4;
    private const int AclEntryBytes = 8;
    private const int AclIdOffset = 4;
    private const ushort AclUser = 0x02;
    private const ushort AclGroup = 0x08;

    // linux/capability.h, struct vfs_ns_cap_data: magic with a revision, two pairs of masks, the id of the namespace's root.
    private const uint CapabilityRevisionMask = 0xFF000000;
    private const uint CapabilityRevision3 = 0x03000000;
    private const int CapabilityBytes = 24;
    private const int CapabilityRootOffset = 20;

    public static bool MayBeIn(ReadOnlySpan<byte> name) => IsAcl(name) || name.SequenceEqual("security.capability"u8);

    public static bool IsAcl(ReadOnlySpan<byte> name) =>
        name.SequenceEqual("system.posix_acl_access"u8) || name.SequenceEqual("system.posix_acl_default"u8);

    /// <summary>
    /// Replaces each id in a value. False if one cannot be; what is left then is neither. A value that is not of such a kind stays as it
    /// is.
    /// </summary>
    /// <param name="name">The attribute's.</param>
    /// <param name="translate">Given an id and whether it is a group's.</param>
    public static bool Replace(ReadOnlySpan<byte> name, Span<byte> value, Func<uint, bool, uint?> translate)
    {
        if (IsAcl(name))
        {
            return ReplaceInAcl(value, translate);
        }

        bool hasRoot = name.SequenceEqual("security.capability"u8) && value.Length == CapabilityBytes
            && (BinaryPrimitives.ReadUInt32LittleEndian(value) & CapabilityRevisionMask) == CapabilityRevision3;
        return !hasRoot || TryReplace(value[CapabilityRootOffset..], isGroup: false, translate);
    }

    private static bool ReplaceInAcl(Span<byte> value, Func<uint, bool, uint?> translate)
    {
        if (value.Length < AclHeaderBytes || BinaryPrimitives.ReadUInt32LittleEndian(value) != AclVersion)
        {
            return true;
        }

        for (Span<byte> entry = value[AclHeaderBytes..]; entry.Length >= AclEntryBytes; entry = entry[AclEntryBytes..])
        {
            ushort tag = BinaryPrimitives.ReadUInt16LittleEndian(entry);
            if (tag is AclUser or AclGroup && !TryReplace(entry[AclIdOffset..], isGroup: tag == AclGroup, translate))
            {
                return false;
            }
        }

        return true;
    }

    private static bool TryReplace(Span<byte> id, bool isGroup, Func<uint, bool, uint?> translate)
    {
        uint? translated = translate(BinaryPrimitives.ReadUInt32LittleEndian(id), isGroup);
        BinaryPrimitives.WriteUInt32LittleEndian(id, translated ?? 0);
        return translated is not null;
    }
}
