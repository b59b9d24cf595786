using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Core.Translation;
using Coherency.Host.Server;

namespace Coherency.Host.Translation;

/// <summary>Serves another file system whose extended attributes have other names, or are not shown.</summary>
/// <param name="map">null where names are the same.</param>
/// <param name="hidesAcls">There are no ACLs: EOPNOTSUPP, and they are not listed.</param>
/// <param name="killsPrivileges">Capabilities go with a change, which the host's kernel does for those under their own name only.</param>
internal sealed unsafe class XattrMappingFileSystem(IFileSystem inner, XattrMap? map, bool hidesAcls, bool killsPrivileges)
    : ForwardingFileSystem(inner)
{
    private static readonly byte[] Capability = [.. "security.capability\0"u8];

    private readonly bool _killsMappedCapabilities =
        killsPrivileges && map?.ToHost(Capability.AsSpan()[..^1], out ReadOnlySpan<byte> prefix) == Errno.None && !prefix.IsEmpty;

    public override Errno GetXattr(NodeId node, EntryName name, Span<byte> value, out int length)
    {
        length = 0;
        byte* buffer = stackalloc byte[FuseLimits.XattrNameBytesMax + 1];
        Errno errno = ToHost(name, buffer, out EntryName hostName);
        // One that may not be changed is as if it were not there.
        errno = errno == Errno.EPERM ? Errno.ENODATA : errno;
        return errno == Errno.None ? Inner.GetXattr(node, hostName, value, out length) : errno;
    }

    public override Errno SetXattr(in Caller caller, NodeId node, EntryName name, ReadOnlySpan<byte> value, int flags, bool killSgid)
    {
        byte* buffer = stackalloc byte[FuseLimits.XattrNameBytesMax + 1];
        Errno errno = ToHost(name, buffer, out EntryName hostName);
        return errno == Errno.None ? Inner.SetXattr(caller, node, hostName, value, flags, killSgid) : errno;
    }

    public override Errno RemoveXattr(NodeId node, EntryName name)
    {
        byte* buffer = stackalloc byte[FuseLimits.XattrNameBytesMax + 1];
        Errno errno = ToHost(name, buffer, out EntryName hostName);
        return errno == Errno.None ? Inner.RemoveXattr(node, hostName) : errno;
    }

    public override Errno ListXattr(NodeId node, Span<byte> list, out int length)
    {
        // How long the shown list is, only all of the host's tells.
        Span<byte> all = list.IsEmpty ? new byte[FuseLimits.XattrBytesMax] : list;
        Errno errno = Inner.ListXattr(node, all, out int hostLength);
        length = 0;
        for (int start = 0; errno == Errno.None && start < hostLength;)
        {
            int end = start + all[start..hostLength].IndexOf((byte)0) + 1;
            ReadOnlySpan<byte> name = all[start..(end - 1)];
            int hidden = hidesAcls && IdsInXattr.IsAcl(name) ? -1 : map?.BytesHidden(name) ?? 0;
            if (hidden >= 0 && hidden < name.Length)
            {
                all[(start + hidden)..end].CopyTo(all[length..]);
                length += end - start - hidden;
            }

            start = end;
        }

        return errno;
    }

    public override Errno Symlink(in Caller caller, NodeId parent, EntryName name, EntryName target, out Entry entry)
    {
        entry = default;
        Errno errno = MapLabels(caller, out Caller mapped);
        return errno == Errno.None ? Inner.Symlink(mapped, parent, name, target, out entry) : errno;
    }

    public override Errno MakeNode(in Caller caller, NodeId parent, EntryName name, uint mode, uint device, out Entry entry)
    {
        entry = default;
        Errno errno = MapLabels(caller, out Caller mapped);
        return errno == Errno.None ? Inner.MakeNode(mapped, parent, name, mode, device, out entry) : errno;
    }

    public override Errno MakeDirectory(in Caller caller, NodeId parent, EntryName name, uint mode, out Entry entry)
    {
        entry = default;
        Errno errno = MapLabels(caller, out Caller mapped);
        return errno == Errno.None ? Inner.MakeDirectory(mapped, parent, name, mode, out entry) : errno;
    }

    public override Errno Create(
        in Caller caller, NodeId parent, EntryName name, int flags, uint mode, bool killSuidGid, out Entry entry, out FileHandle handle)
    {
        entry = default;
        handle = default;
        Errno errno = MapLabels(caller, out Caller mapped);
        return errno == Errno.None
            ? Inner.Create(mapped, parent, name, flags, mode, killSuidGid, out entry, out handle)
            : errno;
    }

    public override Errno CreateTemporary(in Caller caller, NodeId parent, int flags, uint mode, out Entry entry, out FileHandle handle)
    {
        entry = default;
        handle = default;
        Errno errno = MapLabels(caller, out Caller mapped);
        return errno == Errno.None ? Inner.CreateTemporary(mapped, parent, flags, mode, out entry, out handle) : errno;
    }

    public override Errno SetAttributes(in Caller caller, NodeId node, in AttributeChange change, out statx attributes)
    {
        if ((change.Valid & (FuseSetAttrValid.Uid | FuseSetAttrValid.Gid | FuseSetAttrValid.Size)) != 0)
        {
            KillCapabilities(node);
        }

        return Inner.SetAttributes(caller, node, change, out attributes);
    }

    public override Errno Write(
        in Caller caller, FileTarget file, IoVec* vectors, int count, long offset, FuseWriteFlags flags, out long bytes)
    {
        KillCapabilities(file.Node);
        return Inner.Write(caller, file, vectors, count, offset, flags, out bytes);
    }

    public override Errno Allocate(in Caller caller, FileTarget file, int mode, long offset, long length)
    {
        KillCapabilities(file.Node);
        return Inner.Allocate(caller, file, mode, offset, length);
    }

    public override Errno CopyRange(
        in Caller caller, FileTarget source, long sourceOffset, FileTarget target, long targetOffset, ulong length, out long copied)
    {
        KillCapabilities(target.Node);
        return Inner.CopyRange(caller, source, sourceOffset, target, targetOffset, length, out copied);
    }

    /// <summary>That there are none is no failure, nor that they may not be taken away: the host's kernel does not ask either.</summary>
    private void KillCapabilities(NodeId node)
    {
        if (_killsMappedCapabilities)
        {
            fixed (byte* name = Capability)
            {
                _ = RemoveXattr(node, new EntryName(name, Capability.Length - 1));
            }
        }
    }

    /// <summary>Gives the labels of something new the names that they have on the host.</summary>
    private Errno MapLabels(in Caller caller, out Caller mapped)
    {
        mapped = caller;
        if (map is null || caller.Labels is null)
        {
            return Errno.None;
        }

        SecurityLabel[] labels = [.. caller.Labels];
        byte* buffer = stackalloc byte[FuseLimits.XattrNameBytesMax + 1];
        for (int i = 0; i < labels.Length; i++)
        {
            fixed (byte* name = labels[i].Name)
            {
                Errno errno = ToHost(new EntryName(name, labels[i].Name.Length - 1), buffer, out EntryName hostName);
                if (errno != Errno.None)
                {
                    return errno;
                }

                labels[i] = labels[i] with { Name = [.. hostName.Bytes, 0] };
            }
        }

        mapped = caller with { Labels = labels };
        return Errno.None;
    }

    /// <param name="buffer">Room for the longest name and its NUL.</param>
    private Errno ToHost(EntryName name, byte* buffer, out EntryName hostName)
    {
        hostName = name;
        if (hidesAcls && IdsInXattr.IsAcl(name.Bytes))
        {
            return Errno.EOPNOTSUPP;
        }

        if (map is null)
        {
            return Errno.None;
        }

        Errno errno = map.ToHost(name.Bytes, out ReadOnlySpan<byte> prefix);
        if (errno != Errno.None || prefix.IsEmpty)
        {
            return errno;
        }

        int length = prefix.Length + name.Length;
        if (length > FuseLimits.XattrNameBytesMax)
        {
            return Errno.ERANGE;
        }

        // SAFETY: no more than the caller has room for, as was just looked at.
        Span<byte> whole = new(buffer, FuseLimits.XattrNameBytesMax + 1);
        prefix.CopyTo(whole);
        name.Bytes.CopyTo(whole[prefix.Length..]);
        whole[length] = 0;
        hostName = new EntryName(buffer, length);
        return Errno.None;
    }
}
