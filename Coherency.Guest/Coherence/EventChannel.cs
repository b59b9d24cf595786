using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;
using Coherency.Core.Versioning;
using Coherency.Core.Versioning.Abi;
using Coherency.Guest.Fuse;

namespace Coherency.Guest.Coherence;

/// <summary>
/// What others change, as the daemon tells it: the reference reader of the channel (docs/version-table.md, "The channel").
/// </summary>
/// <example>
/// <code>
/// using EventChannel channel = EventChannel.Open(guest.Fuse);
/// EventBlock block = channel.Poll(TimeSpan.FromMinutes(1));       // waits
/// foreach (ToldEvent told in block.Events) { Console.WriteLine($"{told.Kinds} {told.Name}"); }
/// </code>
/// </example>
public sealed class EventChannel : IDisposable
{
    private readonly FuseClient _fuse;
    private readonly int _bytesMax;

    private EventChannel(FuseClient fuse, int bytesMax)
    {
        _fuse = fuse;
        _bytesMax = bytesMax;
    }

    /// <summary>Begins to listen. Every change that ends after this returns is told.</summary>
    /// <exception cref="FuseException">ENODATA: the daemon has no channel.</exception>
    /// <param name="wantsLocks">It is also told when a lock that it has asked for may be free.</param>
    public static EventChannel Open(FuseClient fuse, FileEventKinds wanted = FileEventKinds.All, bool wantsLocks = false)
    {
        int bytesMax = fuse.GetXattrLength(NodeId.Root, ChannelFormat.EventsAttribute);
        EventChannel channel = new(fuse, bytesMax);
        channel.Subscribe(on: 1, (uint)wanted | (wantsLocks ? ChannelConstants.SubscribeLocks : 0));
        return channel;
    }

    /// <summary>Waits for something to be told, at most so long; then the block may be empty.</summary>
    /// <exception cref="FuseException">ENODATA: nothing is told any more. EINTR: the queue stops.</exception>
    /// <exception cref="InvalidDataException">The answer is not one.</exception>
    public EventBlock Poll(TimeSpan hold)
    {
        string name = Encoding.ASCII.GetString(ChannelFormat.PollAttributePrefix) + ((int)hold.TotalSeconds).ToString(
            CultureInfo.InvariantCulture);
        using Exchange exchange = _fuse.Connection.Begin(FuseOpcode.GetXattr, NodeId.Root, CallerIdentity.Root);
        exchange.Slot.Argument(new fuse_getxattr_in { size = (uint)_bytesMax });
        exchange.Slot.Name(Encoding.ASCII.GetBytes(name));
        exchange.Slot.ExpectData(_bytesMax);
        exchange.Check(new WaitPolicy(SpinMicroseconds: 0, TimeoutMs: (int)Math.Min(hold.TotalMilliseconds + 60_000, int.MaxValue)));
        return EventBlock.Parse(exchange.Slot.ReadData());
    }

    /// <summary>Listens no more.</summary>
    public void Dispose()
    {
        try
        {
            Subscribe(on: 0, 0);
        }
        catch (Exception gone) when (gone is DeviceGoneException or FuseException or ObjectDisposedException)
        {
            // Nobody tells anything any more.
        }
    }

    private void Subscribe(uint on, uint mask)
    {
        coherency_subscription wish = new() { on = on, mask = mask };
        try
        {
            _fuse.SetXattr(
                NodeId.Root, ChannelFormat.SubscribeAttribute, MemoryMarshal.AsBytes(new ReadOnlySpan<coherency_subscription>(in wish)));
        }
        catch (FuseException done) when (done.Errno == Errno.ENODATA)
        {
            return;
        }

        throw new FuseException(FuseOpcode.SetXattr, Errno.EOPNOTSUPP);
    }
}

/// <summary>One answer.</summary>
/// <param name="LostAll">Anything may have changed.</param>
/// <param name="Freed">Keys of inodes a lock on which may be free.</param>
/// <param name="AnyLock">Any lock that was asked for may be free.</param>
public sealed record EventBlock(bool LostAll, IReadOnlyList<ToldEvent> Events, IReadOnlyList<ulong> Freed, bool AnyLock)
{
    /// <exception cref="InvalidDataException">It is malformed.</exception>
    public static EventBlock Parse(ReadOnlySpan<byte> block)
    {
        if (!ChannelFormat.TryReadHeader(block, out ChannelBlockFlags flags, out ReadOnlySpan<byte> messages))
        {
            throw new InvalidDataException($"a block of {block.Length} bytes has a header of another size");
        }

        List<ToldEvent> events = [];
        List<ulong> locks = [];
        while (!messages.IsEmpty)
        {
            if (!ChannelFormat.TryReadNext(ref messages, out ChannelMessageKind kind, out FileEvent told, out ulong freed))
            {
                throw new InvalidDataException($"message {events.Count + locks.Count} of a block is malformed");
            }

            if (kind == ChannelMessageKind.Lock)
            {
                locks.Add(freed);
            }
            else if (kind == ChannelMessageKind.Event)
            {
                events.Add(
                    new ToldEvent(told.Directory, told.Child, told.Kinds, told.Cookie, told.Flags, Encoding.UTF8.GetString(told.Name)));
            }
        }

        return new EventBlock(flags.HasFlag(ChannelBlockFlags.All), events, locks, flags.HasFlag(ChannelBlockFlags.Locks));
    }
}

/// <summary>One event; see <see cref="FileEvent"/>.</summary>
public sealed record ToldEvent(ulong Directory, ulong Child, FileEventKinds Kinds, uint Cookie, FileEventFlags Flags, string Name);
