using System.Runtime.InteropServices;
using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;
using Coherency.Core.Versioning;
using Coherency.Host.Coherence;
using Coherency.Host.Coherence.Changes;
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

    /// <summary>Fewest things that a change touches whose names may stand for other inodes than the kernel thinks.</summary>
    private const int TouchedWithRemovedInode = 3;

    private readonly ShareGroup _group;
    private readonly ulong _rootKey;
    private readonly Lock _sending = new();
    private FuseDeviceChannel? _channel;
    private volatile PassthroughFileSystem? _files;
    private volatile bool _knowsEpochs = true;

    /// <summary>Takes part from here on, before the mount's kernel can cache anything.</summary>
    /// <exception cref="IOException">A change that is under way does not end.</exception>
    public MountView(ShareGroup group, ulong rootKey)
    {
        _group = group;
        _rootKey = rootKey;
        if (!group.TryJoin(this))
        {
            throw new IOException("cannot mount: a change in the share does not end, is its file system frozen?");
        }
    }

    /// <summary>What a mount with such a view may cache.</summary>
    public static SessionOptions Configure(SessionOptions options)
    {
        CachePolicy unlimited = CachePolicy.For(CacheMode.Coherent);
        CachePolicy attributes = CachePolicy.For(CacheMode.Never) with
        {
            AttributeTimeout = unlimited.AttributeTimeout,
            EntryAttributeTimeout = TimeSpan.Zero,
        };
        return options with
        {
            Cache = attributes with { EntryTimeout = unlimited.EntryTimeout, NegativeTimeout = unlimited.NegativeTimeout },
            CacheOfOlderProtocols = attributes,
            EpochProtocolMinor = EpochProtocolMinor,
            Writeback = false,
            // The kernel takes what comes with a listing for as new as the end of the request, not the beginning.
            ReadDirPlus = false,
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

    /// <summary>A name may have been given to another inode since the kernel looked, which it then thinks it has not touched.</summary>
    public override void EndOwn(ReadOnlySpan<TouchedObject> touched)
    {
        if (touched.Length < TouchedWithRemovedInode)
        {
            return;
        }

        foreach (TouchedObject one in touched)
        {
            if (!one.IsName)
            {
                InvalidateAttributes(one.InodeKey);
            }
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
        _files?.VisitNodes(NotifyNode);
    }

    internal void Attach(FuseDeviceChannel channel)
    {
        lock (_sending)
        {
            _channel = channel;
        }
    }

    /// <summary>The mount is gone. When this returns, nothing is written to its descriptor any more.</summary>
    internal void Close()
    {
        _group.Leave(this);
        lock (_sending)
        {
            _channel = null;
        }
    }

    private bool IsKnown(ulong inodeKey) => inodeKey == _rootKey || _files?.Holds(new NodeId(inodeKey)) == true;

    private void InvalidateNames()
    {
        if (_knowsEpochs && Notify(FuseNotifyCode.IncEpoch, ReadOnlySpan<byte>.Empty) == Errno.EINVAL)
        {
            // An older kernel, which was allowed to cache no names.
            _knowsEpochs = false;
        }
    }

    private void InvalidateAttributes(ulong inodeKey)
    {
        if (IsKnown(inodeKey))
        {
            NotifyNode(inodeKey == _rootKey ? NodeId.Root.Value : inodeKey);
        }
    }

    private void NotifyNode(ulong node)
    {
        fuse_notify_inval_inode_out body = new() { ino = node, off = AttributesOnly };
        _ = Notify(FuseNotifyCode.InvalInode, MemoryMarshal.AsBytes(new ReadOnlySpan<fuse_notify_inval_inode_out>(in body)));
    }

    private Errno Notify(FuseNotifyCode code, ReadOnlySpan<byte> body)
    {
        lock (_sending)
        {
            return _channel?.Notify(code, body) ?? Errno.None;
        }
    }
}
