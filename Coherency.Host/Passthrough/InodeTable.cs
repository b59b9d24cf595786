using Coherency.Core.Fuse;
using Coherency.Core.Linux;

namespace Coherency.Host.Passthrough;

/// <summary>
/// The inodes that sessions of a share hold, without an object or a descriptor per inode.
/// <para>
/// A record lives as long as it is referenced: once per session that was given it, and once per request or open file that
/// uses it (<see cref="PinnedInode"/>). When the last reference goes, so do its descriptors. Each shard has its lock; no
/// shard's lock is held while another's or any other lock is taken, except a set's of the <see cref="DescriptorCache"/>.
/// </para>
/// </summary>
internal sealed class InodeTable
{
    public const int ShardBits = 6;

    private readonly InodeShard[] _shards;
    private readonly MountTable _mounts;
    private readonly IInodeKeyHash _hash;
    private DescriptorCache? _readable;
    private int _displaced;

    public InodeTable(MountTable mounts, IInodeKeyHash hash, DescriptorCache cache, DescriptorBudget budget)
    {
        _mounts = mounts;
        _hash = hash;
        _shards = new InodeShard[1 << ShardBits];
        for (int i = 0; i < _shards.Length; i++)
        {
            _shards[i] = new InodeShard(this, i, cache, budget);
        }
    }

    /// <summary>Is told when an inode leaves the table.</summary>
    public IShareWatch? Watch { get; set; }

    /// <summary>Some inode has a node id that is not its key: one file may have two ids, by two mounts of the host.</summary>
    public bool HasDisplaced => Volatile.Read(ref _displaced) > 0;

    /// <summary>Further descriptors, by node id, which go with their inode; if there are any.</summary>
    public DescriptorCache? Readable
    {
        get => Volatile.Read(ref _readable);
        set => Volatile.Write(ref _readable, value);
    }

    public int Count => _shards.Sum(shard => shard.Count);

    /// <summary>The key of an identity: its node id too, unless another live inode has the same key.</summary>
    public ulong KeyOf(in FileIdentity identity) => KeyOf(_mounts[identity.Mount].FileSystemId, identity.Type, identity.Bytes);

    /// <summary>The key of a file handle.</summary>
    /// <param name="fileSystemId">f_fsid, as in <see cref="Mount.FileSystemId"/>.</param>
    public ulong KeyOf(ulong fileSystemId, ushort handleType, ReadOnlySpan<byte> handle) =>
        Usable(_hash.Hash(fileSystemId, handleType, handle));

    /// <summary>
    /// Does any client hold an inode with that key, or is a request about to give it one? Once this says no, whoever is given the
    /// inode later gets attributes that are newer (<see cref="InodeResolver"/>).
    /// </summary>
    public bool Knows(ulong key) => ShardOf(key).Has(key);

    /// <summary>References the inode with that node id; empty if there is none.</summary>
    public PinnedInode Pin(ulong node) => ShardOf(node).Pin(node);

    /// <summary>References an inode that is known already; empty if it is not.</summary>
    public PinnedInode Pin(scoped in FileIdentity identity)
    {
        ulong key = KeyOf(identity);
        return ShardOf(key).Pin(key, identity);
    }

    /// <summary>
    /// References an inode, adding it if it is new; whoever calls it describes it then (<see cref="PinnedInode.Describe"/>).
    /// </summary>
    /// <param name="fd">An O_PATH descriptor that a new record shall own, or -1; set to -1 when it was taken.</param>
    public PinnedInode PinOrAdd(scoped in FileIdentity identity, scoped ref int fd)
    {
        ulong key = KeyOf(identity);
        return ShardOf(key).PinOrAdd(key, identity, ref fd);
    }

    /// <summary>Drops a reference that outlived the <see cref="PinnedInode"/> it came from.</summary>
    public void Release(ulong node) => ShardOf(node).Release(node);

    /// <summary>Drops a reference of the record with that <see cref="PinnedInode.Number"/>.</summary>
    public void Release(uint number) => ShardOf(number).Release((int)(number >> ShardBits));

    /// <summary>The node id of a record that the caller knows to be referenced.</summary>
    /// <param name="number"><see cref="PinnedInode.Number"/>.</param>
    public ulong NodeOf(uint number) => ShardOf(number).NodeOf((int)(number >> ShardBits));

    /// <summary>Calls <paramref name="visit"/>, which must not come back here, with each node id and how often it is referenced.</summary>
    public void Visit(Action<ulong, int> visit)
    {
        foreach (InodeShard shard in _shards)
        {
            shard.Visit(visit);
        }
    }

    /// <summary>Called by the shards.</summary>
    public void CountDisplaced(int change) => Interlocked.Add(ref _displaced, change);

    /// <summary>Closes the descriptors of all records, when the share closes.</summary>
    public void CloseAll()
    {
        foreach (InodeShard shard in _shards)
        {
            shard.CloseAll();
        }
    }

    /// <summary>
    /// The node id to try for a key whose first <paramref name="attempt"/> choices belong to other inodes. All of them are
    /// in the key's shard, so that one lock covers the search.
    /// </summary>
    public static ulong Candidate(ulong key, int attempt)
    {
        const ulong shardMask = ~(ulong.MaxValue >> ShardBits);
        const ulong step = 0x9E3779B97F4A7C15;
        return attempt == 0 ? key : (key & shardMask) | ((key + ((ulong)attempt * step)) & ~shardMask) | NodeId.DisplacedMark;
    }

    /// <summary>0 and 1 are reserved on the wire (no inode, the root), and one bit of the mark tells displaced ids from keys.</summary>
    private static ulong Usable(ulong hash)
    {
        const ulong oneBitOfMark = NodeId.DisplacedMark & ~(NodeId.DisplacedMark - 1);
        ulong key = new NodeId(hash).IsDisplaced ? hash & ~oneBitOfMark : hash;
        return key <= NodeIdReservedMax ? key + NodeIdReservedMax + 1 : key;
    }

    private const ulong NodeIdReservedMax = 1;

    private InodeShard ShardOf(ulong node) => _shards[node >> (64 - ShardBits)];

    private InodeShard ShardOf(uint number) => _shards[number & ((1 << ShardBits) - 1)];
}
