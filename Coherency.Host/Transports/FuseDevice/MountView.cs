using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Versioning;
using Coherency.Host.Coherence;
using Coherency.Host.Passthrough;
using Coherency.Host.Server;

namespace Coherency.Host.Transports.FuseDevice;

/// <summary>
/// The view of a mount on the host: its kernel, a stock one, is told of others' changes by FUSE notifications, before whoever
/// made them gets the reply.
/// <para>
/// Only notifications that take no lock in the kernel are sent, for one that waits for a directory's or a page's lock may wait
/// for a request that waits for the notification of somebody else: FUSE_NOTIFY_INC_EPOCH instead of INVAL_ENTRY, which makes
/// every name be looked up again, and INVAL_INODE for attributes alone. File data is not kept in the mount's page cache, and
/// attributes are believed only when they come with GETATTR: INVAL_INODE of an inode whose LOOKUP is on its way finds nothing
/// to invalidate.
/// </para>
/// </summary>
public sealed class MountView : ShareView
{
    /// <summary>FUSE_NOTIFY_INC_EPOCH came with protocol 7.44, in Linux 6.16.</summary>
    public const uint EpochProtocolMinor = 44;

    /// <summary>A negative offset: attributes only, no pages (fuse_reverse_inval_inode).</summary>
    private const long AttributesOnly = -1;

    private readonly ulong _rootKey;
    private volatile FuseDeviceChannel? _channel;
    private volatile PassthroughFileSystem? _files;

    public MountView(ulong rootKey) => _rootKey = rootKey;

    /// <summary>What a mount with such a view may cache.</summary>
    public static SessionOptions Configure(SessionOptions options)
    {
        CachePolicy unlimited = CachePolicy.For(CacheMode.Coherent);
        CachePolicy attributes = CachePolicy.For(CacheMode.Never) with { AttributeTimeout = unlimited.AttributeTimeout, EntryAttributeTimeout = TimeSpan.Zero };
        return options with
        {
            Cache = attributes with { EntryTimeout = unlimited.EntryTimeout, NegativeTimeout = unlimited.NegativeTimeout },
            CacheOfOlderProtocols = attributes,
            EpochProtocolMinor = EpochProtocolMinor,
            Writeback = false,
            // So that programs can map files all the same.
            AllowMmap = true,
        };
    }

    /// <summary>The file system of the mount's conversation: what it was not given, its kernel does not cache.</summary>
    public void Use(PassthroughFileSystem files) => _files = files;

    public override void Begin(ReadOnlySpan<SlotKey> slots)
    {
        // What is asked for during the change and answered from before it is told of at its end, after the answer was sent.
    }

    public override void End(ReadOnlySpan<SlotKey> slots, ReadOnlySpan<TouchedObject> touched)
    {
        bool anyName = false;
        foreach (TouchedObject one in touched)
        {
            if (one.IsName)
            {
                anyName |= IsKnown(one.InodeKey);
            }
            else
            {
                InvalidateAttributes(one.InodeKey);
            }
        }

        if (anyName)
        {
            InvalidateNames();
        }
    }

    public override void Move(ReadOnlySpan<SlotKey> slots)
    {
        // A slot's key is an inode's or the hash of a name, and nothing tells which; but with a name comes its directory. So what
        // happens elsewhere in the file system, of which the mount knows nothing, costs it nothing.
        bool anyKnown = false;
        foreach (SlotKey slot in slots)
        {
            anyKnown |= IsKnown(slot.Value);
            InvalidateAttributes(slot.Value);
        }

        if (anyKnown)
        {
            InvalidateNames();
        }
    }

    public override void MoveAll()
    {
        InvalidateNames();
        InvalidateAttributes(_rootKey);
        _files?.VisitNodes(node => Notify(node));
    }

    internal void Attach(FuseDeviceChannel channel) => _channel = channel;

    private bool IsKnown(ulong inodeKey) => inodeKey == _rootKey || _files?.Holds(new NodeId(inodeKey)) == true;

    private void InvalidateNames() => _channel?.Notify(FuseNotifyCode.IncEpoch, ReadOnlySpan<byte>.Empty);

    private void InvalidateAttributes(ulong inodeKey)
    {
        if (IsKnown(inodeKey))
        {
            Notify(inodeKey == _rootKey ? NodeId.Root.Value : inodeKey);
        }
    }

    private void Notify(ulong node) =>
        _channel?.Notify(FuseNotifyCode.InvalInode, new fuse_notify_inval_inode_out { ino = node, off = AttributesOnly });
}
