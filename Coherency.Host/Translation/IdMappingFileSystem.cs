using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Core.Translation;
using Coherency.Host.Server;

namespace Coherency.Host.Translation;

/// <summary>
/// Serves another file system to a client whose ids of users and groups are others: its own are translated on their way in, the host's on
/// their way out, those within ACLs and capabilities too. What the client may not use is EPERM: to make something as such a user, or to
/// give something to one.
/// </summary>
internal sealed unsafe class IdMappingFileSystem(IFileSystem inner, IdMap? uids, IdMap? gids) : ForwardingFileSystem(inner)
{
    /// <summary>The kernel's overflow id: nobody's. What changes a file without making one works for whoever asks.</summary>
    private const uint Nobody = 65534;

    public override Errno Lookup(NodeId parent, EntryName name, out Entry entry) =>
        ToClient(Inner.Lookup(parent, name, out entry), ref entry);

    public override Errno LookupNode(NodeId node, out Entry entry) => ToClient(Inner.LookupNode(node, out entry), ref entry);

    public override Errno LookupParent(NodeId node, out Entry entry) => ToClient(Inner.LookupParent(node, out entry), ref entry);

    public override Errno GetAttributes(NodeId node, FileHandle? handle, out statx attributes) =>
        ToClient(Inner.GetAttributes(node, handle, out attributes), ref attributes);

    public override Errno SetAttributes(in Caller caller, NodeId node, in AttributeChange change, out statx attributes)
    {
        attributes = default;
        AttributeChange translated = change;
        bool givesUid = change.Valid.HasFlag(FuseSetAttrValid.Uid);
        bool givesGid = change.Valid.HasFlag(FuseSetAttrValid.Gid);
        if ((givesUid && !TryToHost(uids, change.Uid, out translated.Uid))
            || (givesGid && !TryToHost(gids, change.Gid, out translated.Gid)))
        {
            return Errno.EPERM;
        }

        return ToClient(Inner.SetAttributes(Changing(caller), node, translated, out attributes), ref attributes);
    }

    public override Errno Symlink(in Caller caller, NodeId parent, EntryName name, EntryName target, out Entry entry) =>
        TryToHost(caller, out Caller maker)
            ? ToClient(Inner.Symlink(maker, parent, name, target, out entry), ref entry)
            : Refuse(out entry);

    public override Errno MakeNode(in Caller caller, NodeId parent, EntryName name, uint mode, uint device, out Entry entry) =>
        TryToHost(caller, out Caller maker)
            ? ToClient(Inner.MakeNode(maker, parent, name, mode, device, out entry), ref entry)
            : Refuse(out entry);

    public override Errno MakeDirectory(in Caller caller, NodeId parent, EntryName name, uint mode, out Entry entry) =>
        TryToHost(caller, out Caller maker)
            ? ToClient(Inner.MakeDirectory(maker, parent, name, mode, out entry), ref entry)
            : Refuse(out entry);

    /// <summary>With RENAME_WHITEOUT it makes something.</summary>
    public override Errno Rename(in Caller caller, NodeId parent, EntryName name, NodeId newParent, EntryName newName, uint flags)
    {
        Caller maker = Changing(caller);
        return (flags & OpenFlags.RENAME_WHITEOUT) == 0 || TryToHost(caller, out maker)
            ? Inner.Rename(maker, parent, name, newParent, newName, flags)
            : Errno.EPERM;
    }

    public override Errno Link(NodeId node, NodeId newParent, EntryName newName, out Entry entry) =>
        ToClient(Inner.Link(node, newParent, newName, out entry), ref entry);

    public override Errno Open(in Caller caller, NodeId node, int flags, bool killSuidGid, out FileHandle handle) =>
        Inner.Open(Changing(caller), node, flags, killSuidGid, out handle);

    public override Errno Create(
        in Caller caller, NodeId parent, EntryName name, int flags, uint mode, bool killSuidGid, out Entry entry, out FileHandle handle)
    {
        handle = default;
        return TryToHost(caller, out Caller maker)
            ? ToClient(Inner.Create(maker, parent, name, flags, mode, killSuidGid, out entry, out handle), ref entry)
            : Refuse(out entry);
    }

    public override Errno CreateTemporary(in Caller caller, NodeId parent, int flags, uint mode, out Entry entry, out FileHandle handle)
    {
        handle = default;
        return TryToHost(caller, out Caller maker)
            ? ToClient(Inner.CreateTemporary(maker, parent, flags, mode, out entry, out handle), ref entry)
            : Refuse(out entry);
    }

    public override Errno Write(
        in Caller caller, FileTarget file, IoVec* vectors, int count, long offset, FuseWriteFlags flags, out long bytes) =>
        Inner.Write(Changing(caller), file, vectors, count, offset, flags, out bytes);

    public override Errno ReadDirectory(FileTarget directory, long offset, bool plus, IDirectorySink sink) =>
        Inner.ReadDirectory(directory, offset, plus, plus ? new Sink(this, sink) : sink);

    public override Errno CheckAccess(in Caller caller, NodeId node, uint mask) => Inner.CheckAccess(Changing(caller), node, mask);

    public override Errno GetXattr(NodeId node, EntryName name, Span<byte> value, out int length)
    {
        Errno errno = Inner.GetXattr(node, name, value, out length);
        if (errno == Errno.None && !value.IsEmpty)
        {
            IdsInXattr.Replace(name.Bytes, value[..length], ToClient);
        }

        return errno;
    }

    public override Errno SetXattr(in Caller caller, NodeId node, EntryName name, ReadOnlySpan<byte> value, int flags, bool killSgid)
    {
        if (!IdsInXattr.MayBeIn(name.Bytes))
        {
            return Inner.SetXattr(Changing(caller), node, name, value, flags, killSgid);
        }

        byte[] translated = value.ToArray();
        return IdsInXattr.Replace(name.Bytes, translated, ToHost)
            ? Inner.SetXattr(Changing(caller), node, name, translated, flags, killSgid)
            : Errno.EPERM;
    }

    public override Errno Allocate(in Caller caller, FileTarget file, int mode, long offset, long length) =>
        Inner.Allocate(Changing(caller), file, mode, offset, length);

    public override Errno CopyRange(
        in Caller caller, FileTarget source, long sourceOffset, FileTarget target, long targetOffset, ulong length, out long copied) =>
        Inner.CopyRange(Changing(caller), source, sourceOffset, target, targetOffset, length, out copied);

    private uint? ToHost(uint id, bool isGroup) => TryToHost(isGroup ? gids : uids, id, out uint hostId) ? hostId : null;

    private uint? ToClient(uint hostId, bool isGroup) => (isGroup ? gids : uids)?.ToClient(hostId) ?? hostId;

    private static bool TryToHost(IdMap? map, uint id, out uint hostId)
    {
        hostId = id;
        return map is null || map.TryToHost(id, out hostId);
    }

    /// <summary>Of one who makes something; false if the client may not be that one.</summary>
    private bool TryToHost(in Caller caller, out Caller host)
    {
        uint? group = null;
        bool may = TryToHost(uids, caller.Uid, out uint uid) & TryToHost(gids, caller.Gid, out uint gid);
        if (caller.SupplementaryGroup is { } asked)
        {
            may &= TryToHost(gids, asked, out uint translated);
            group = translated;
        }

        host = caller with { Uid = uid, Gid = gid, SupplementaryGroup = group };
        return may;
    }

    /// <summary>Of one who makes nothing.</summary>
    private Caller Changing(in Caller caller) => caller with
    {
        Uid = TryToHost(uids, caller.Uid, out uint uid) ? uid : Nobody,
        Gid = TryToHost(gids, caller.Gid, out uint gid) ? gid : Nobody,
    };

    private Errno ToClient(Errno errno, ref Entry entry) => ToClient(errno, ref entry.Attributes);

    private Errno ToClient(Errno errno, ref statx attributes)
    {
        attributes.stx_uid = uids?.ToClient(attributes.stx_uid) ?? attributes.stx_uid;
        attributes.stx_gid = gids?.ToClient(attributes.stx_gid) ?? attributes.stx_gid;
        return errno;
    }

    private static Errno Refuse(out Entry entry)
    {
        entry = default;
        return Errno.EPERM;
    }

    private sealed class Sink(IdMappingFileSystem files, IDirectorySink inner) : IDirectorySink
    {
        public bool HasRoom(int nameBytes) => inner.HasRoom(nameBytes);

        public void Add(in DirectoryPosition position, ReadOnlySpan<byte> name) => inner.Add(position, name);

        public void AddPlus(in DirectoryPosition position, ReadOnlySpan<byte> name, in Entry entry)
        {
            Entry translated = entry;
            files.ToClient(Errno.None, ref translated);
            inner.AddPlus(position, name, translated);
        }
    }
}
