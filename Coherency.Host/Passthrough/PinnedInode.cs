using Coherency.Core.Fuse;
using Coherency.Core.Linux;

namespace Coherency.Host.Passthrough;

/// <summary>
/// A reference to an inode of the <see cref="InodeTable"/>, for as long as a request works with it. While it is held, the
/// record stays, its node id means this inode and its descriptor stays open. Empty (default) when there was no such inode.
/// </summary>
internal ref struct PinnedInode
{
    private readonly InodeTable _table;
    private readonly InodeShard _shard;
    private readonly ref InodeRecord _record;
    private readonly int _numberInShard;
    private bool _held;

    public PinnedInode(InodeTable table, InodeShard shard, ref InodeRecord record, int numberInShard)
    {
        _table = table;
        _shard = shard;
        _record = ref record;
        _numberInShard = numberInShard;
        _held = true;
    }

    public readonly bool IsEmpty => _shard is null;

    public readonly ulong Node => _record.Node;

    /// <summary>Of its record, as <see cref="InodeTable.NodeOf"/> takes it: small, and its own for as long as it is referenced.</summary>
    public readonly uint Number => _shard.NumberOf(_numberInShard);

    public readonly ushort Mount => _record.Mount;

    /// <summary>S_IFMT of its mode.</summary>
    public readonly uint FileType => _record.FileType;

    public readonly bool IsDirectory => FileType == StatFlags.S_IFDIR;

    /// <inheritdoc cref="InodeRecord.Names"/>
    public readonly NameRule Names
    {
        get => _record.Names;
        set => _record.Names = value;
    }

    /// <summary>A descriptor that the record owns, or -1.</summary>
    public readonly int OwnFd => _record.Fd;

    /// <summary>The inode key: of what it is, even where it had to take another node id.</summary>
    public readonly ulong Key => new NodeId(Node).IsDisplaced ? _table.KeyOf(Identity()) : Node;

    /// <inheritdoc cref="InodeRecord.Describe"/>
    public readonly void Describe(in statx attributes) => _record.Describe(attributes);

    public readonly bool Matches(in statx attributes) => _record.Matches(attributes);

    public readonly FileIdentity Identity()
    {
        FileIdentity identity = new() { Mount = _record.Mount };
        ReadOnlySpan<byte> handle = _record.IsSpilled ? _shard.SpilledHandle(Node) : _record.HandleBytes;
        identity.SetHandle(_record.HandleType, handle);
        return identity;
    }

    /// <summary>Leaves the reference to whoever will call <see cref="InodeTable.Release"/> for it.</summary>
    public void Keep() => _held = false;

    public void Dispose()
    {
        if (_held)
        {
            _held = false;
            _shard.Release(_numberInShard);
        }
    }
}
