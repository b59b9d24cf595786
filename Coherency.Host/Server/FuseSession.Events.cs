using System.Buffers.Text;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;
using Coherency.Core.Versioning;
using Coherency.Core.Versioning.Abi;
using Coherency.Host.Coherence.Events;

namespace Coherency.Host.Server;

/// <summary>What the client is told of others' changes (docs/version-table.md, "The channel").</summary>
public sealed partial class FuseSession
{
    private volatile EventSubscriber? _subscriber;

    /// <summary>The client is told what others change.</summary>
    public bool HearsOfChanges => _subscriber is not null;

    /// <summary>A request of the client waits for something to tell.</summary>
    internal bool HasWaitingPoll => _subscriber is { IsWaiting: true };

    /// <summary>What became of the events for the client since it began to listen; null when it does not.</summary>
    public EventCounts? EventCounts => _subscriber?.Counts;

    private bool HasChannel => _view is not null && _options.Events;

    private bool IsOfEvents(FuseRequest request, EntryName attribute) =>
        request.Node == NodeId.Root && HasChannel && attribute.Bytes.StartsWith(ChannelFormat.EventsAttribute);

    private bool IsSubscription(FuseRequest request, EntryName attribute) =>
        request.Node == NodeId.Root && HasChannel && attribute.Bytes.SequenceEqual(ChannelFormat.SubscribeAttribute);

    /// <param name="size">The room that the client says to have for the answer.</param>
    /// <returns>None when the request waits, too.</returns>
    private Errno GetEvents(FuseRequest request, IFileSystem files, EntryName attribute, uint size)
    {
        if (attribute.Length == ChannelFormat.EventsAttribute.Length)
        {
            if (size == 0)
            {
                request.Reply(new fuse_getxattr_out { size = ChannelConstants.BlockBytesMax });
                return Errno.None;
            }

            return Errno.ENODATA;
        }

        if (!attribute.Bytes.StartsWith(ChannelFormat.PollAttributePrefix))
        {
            return Errno.ENODATA;
        }

        ReadOnlySpan<byte> digits = attribute.Bytes[ChannelFormat.PollAttributePrefix.Length..];
        bool isNumber = Utf8Parser.TryParse(digits, out uint seconds, out int read) && read == digits.Length;
        if (!isNumber || seconds is 0 or > ChannelConstants.HoldSecondsMax)
        {
            return Errno.EINVAL;
        }

        int room = (int)Math.Min(Math.Min(size, ChannelConstants.BlockBytesMax), Math.Max(0, request.ReplyCapacity));
        if (room < ChannelConstants.BlockBytesMin)
        {
            return Errno.ERANGE;
        }

        EventSubscriber? subscriber = _conversation?.Files == files ? _subscriber : null;
        bool isTaken = subscriber is not null && subscriber.TryPoll(_view!.Group.Events, request, room, TimeSpan.FromSeconds(seconds));
        return isTaken ? Errno.None : Errno.ENODATA;
    }

    /// <summary>Begins or ends the telling. Done is ENODATA: after a success Linux would ask for the root's attributes.</summary>
    private Errno Subscribe(IFileSystem files, ReadOnlySpan<byte> value)
    {
        if (value.Length != Unsafe.SizeOf<coherency_subscription>())
        {
            return Errno.EINVAL;
        }

        coherency_subscription wish = MemoryMarshal.Read<coherency_subscription>(value);
        FileEventKinds kinds = (FileEventKinds)wish.mask & FileEventKinds.All;
        bool locks = (wish.mask & ChannelConstants.SubscribeLocks) != 0;
        if (wish.on > 1 || (wish.on == 1 && kinds == FileEventKinds.None && !locks))
        {
            return Errno.EINVAL;
        }

        if (wish.on == 0)
        {
            EndEvents(files);
            return Errno.ENODATA;
        }

        lock (_stateLock)
        {
            if (_conversation is not { } conversation || conversation.Files != files)
            {
                return Errno.EIO;
            }

            if (_subscriber is { } subscriber)
            {
                _view!.Group.Events.Want(subscriber, kinds, locks);
            }
            else
            {
                subscriber = new EventSubscriber(_view!, new Audience(conversation, _view!.Table.RootKey), kinds, LogFault)
                {
                    WantsLocks = locks,
                };
                _view.Group.Events.Subscribe(subscriber);
                _subscriber = subscriber;
            }
        }

        return Errno.ENODATA;
    }

    /// <summary>Nothing more is told in a conversation, unless it has ended itself; a request that waits is answered.</summary>
    private void EndEvents(IFileSystem files)
    {
        EventSubscriber? ended;
        lock (_stateLock)
        {
            ended = _conversation?.Files == files ? TakeSubscriber() : null;
        }

        Unsubscribe(ended);
    }

    /// <summary>Tells the client that a lock may be free on an inode that it knows by this id; on any if there is none.</summary>
    internal void TellLock(NodeId node)
    {
        if (_subscriber is { } subscriber)
        {
            _view!.Group.Events.TellLock(subscriber, _view.KeyOf(node));
        }
    }

    /// <summary>With the lock held.</summary>
    private EventSubscriber? TakeSubscriber()
    {
        EventSubscriber? taken = _subscriber;
        _subscriber = null;
        return taken;
    }

    private void Unsubscribe(EventSubscriber? ended)
    {
        if (ended is not null)
        {
            _view!.Group.Events.Unsubscribe(ended);
        }
    }

    /// <summary>What the client of a conversation holds, by keys. A displaced inode has none, and nothing is told of it.</summary>
    private sealed class Audience(Conversation conversation, ulong rootKey) : IEventAudience
    {
        public bool Holds(ulong key) => key == rootKey || Ask(key, static (files, node) => files.Holds(node));

        public bool IsRemoved(ulong key) => Ask(key, static (files, node) => files.IsRemoved(node));

        public bool HasName(ulong directory, ReadOnlySpan<byte> name)
        {
            if (!conversation.TryAcquire())
            {
                return false;
            }

            try
            {
                return conversation.Files.HasName(NodeOf(directory), name);
            }
            finally
            {
                conversation.Release();
            }
        }

        /// <summary>False when the conversation has ended.</summary>
        private bool Ask(ulong key, Func<IFileSystem, NodeId, bool> question)
        {
            if (!conversation.TryAcquire())
            {
                return false;
            }

            try
            {
                return question(conversation.Files, NodeOf(key));
            }
            finally
            {
                conversation.Release();
            }
        }

        private NodeId NodeOf(ulong key) => key == rootKey ? NodeId.Root : new NodeId(key);
    }
}
