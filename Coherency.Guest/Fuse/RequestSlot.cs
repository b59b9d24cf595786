using System.Runtime.InteropServices;
using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;
using Coherency.Guest.Virtio;

namespace Coherency.Guest.Fuse;

/// <summary>
/// A request with its reply, in guest memory that is its own and is used again and again. Written with <see cref="Begin"/> and
/// the methods after it, sent with <see cref="RequestQueue.Submit"/>, read once it is complete. The chain has the shape that
/// Linux gives it: header, each argument and each name in a descriptor, data in pages.
/// </summary>
/// <remarks>For hostile input, <see cref="BeginRaw"/> starts a chain of any bytes in any layout.</remarks>
public sealed unsafe class RequestSlot
{
    /// <summary>Room for header, arguments and names: two of 4,095 bytes, which tests of long names use.</summary>
    private const int RequestBytes = 12 * 1024;

    /// <summary>Room for header and arguments of a reply.</summary>
    private const int ReplyBytes = 1024;

    private const int HeaderSegments = 8;
    private const int DataSegmentBytes = 4096;
    private const int DescriptorBytes = 16;

    private readonly GuestBuffer _request;
    private readonly GuestBuffer _reply;
    private readonly GuestBuffer _data;
    private readonly ChainSegment[] _segments;
    private int _segmentCount;
    private int _requestUsed;
    private int _replyUsed;
    private int _sentLength;

    internal RequestSlot(GuestRam memory, ushort index, int dataBytes)
    {
        Index = index;
        _request = memory.Allocate(RequestBytes);
        _reply = memory.Allocate(ReplyBytes);
        _data = memory.Allocate(dataBytes, DataSegmentBytes);
        int segmentsMax = HeaderSegments + ((dataBytes + DataSegmentBytes - 1) / DataSegmentBytes);
        _segments = new ChainSegment[segmentsMax];
        IndirectTable = memory.Allocate(segmentsMax * DescriptorBytes);
    }

    /// <summary>Bytes that <see cref="SendData"/> and <see cref="ExpectData"/> can move.</summary>
    public int DataBytesMax => _data.Length;

    /// <summary>What goes out with <see cref="SendData"/>, and what came in after <see cref="ExpectData"/>.</summary>
    public Span<byte> Data => _data.Span;

    /// <summary>The operation that was begun.</summary>
    public FuseOpcode Opcode { get; private set; }

    /// <summary>True when the device is done with the request.</summary>
    public bool IsComplete => Volatile.Read(ref _state) == (int)State.Complete;

    /// <summary>Bytes that the device says it wrote into the chain.</summary>
    public uint BytesWritten { get; private set; }

    /// <summary>The caller's own number for a request in flight, such as a lane of a benchmark.</summary>
    public int Tag { get; set; }

    internal ushort Index { get; }

    internal GuestBuffer IndirectTable { get; }

    internal ReadOnlySpan<ChainSegment> Segments => _segments.AsSpan(0, _segmentCount);

    /// <summary>Where the slot stands; guarded by its queue's lock, read without it by <see cref="IsComplete"/>.</summary>
    internal State Status
    {
        get => (State)_state;
        set => Volatile.Write(ref _state, (int)value);
    }

    private int _state;

    internal enum State
    {
        Free,
        Owned,
        InFlight,

        /// <summary>In flight, but nobody waits any more: freed by whoever sees it come back.</summary>
        Abandoned,
        Complete,
    }

    /// <summary>Starts a request; what the slot held before is gone.</summary>
    public RequestSlot Begin(FuseOpcode opcode, NodeId node, CallerIdentity caller)
    {
        BeginRaw();
        Opcode = opcode;
        fuse_in_header header = new()
        {
            opcode = (uint)opcode,
            nodeid = node.Value,
            uid = caller.Uid,
            gid = caller.Gid,
            pid = caller.Pid,
        };
        return AppendReadable(BytesOf(header));
    }

    /// <summary>Appends an argument struct.</summary>
    public RequestSlot Argument<T>(in T argument)
        where T : unmanaged => AppendReadable(BytesOf(argument));

    /// <summary>Appends a name and its NUL; the bytes are not checked.</summary>
    public RequestSlot Name(ReadOnlySpan<byte> name)
    {
        Span<byte> room = TakeRequestRoom(name.Length + 1, out ulong address);
        name.CopyTo(room);
        room[^1] = 0;
        return AddSegment(address, (uint)room.Length, deviceWrites: false);
    }

    /// <summary>Appends the caller's supplementary group as an extension (FUSE_EXT_GROUPS); after it only data may follow.</summary>
    public void GroupExtension(uint group)
    {
        ReadOnlySpan<uint> extension = [16, (uint)FuseExtensionType.Groups, 1, group];
        Extension(MemoryMarshal.AsBytes(extension));
    }

    /// <summary>Appends an extension, whole words of 8 bytes; after the first one only more of them may follow, and data.</summary>
    public void Extension(ReadOnlySpan<byte> bytes)
    {
        AppendReadable(bytes);
        Header.total_extlen += (ushort)(bytes.Length / sizeof(ulong));
    }

    /// <summary>Appends the first <paramref name="bytes"/> of <see cref="Data"/> as the request's payload.</summary>
    public RequestSlot SendData(int bytes) => AddDataSegments(bytes, deviceWrites: false);

    /// <summary>Makes room for a reply without arguments; every operation but the forgets has at least that.</summary>
    public RequestSlot ExpectReply() => ExpectReplyBytes(sizeof(fuse_out_header));

    /// <summary>Makes room for a reply with an argument struct.</summary>
    public RequestSlot ExpectReply<T>()
        where T : unmanaged => ExpectReply().ExpectReplyBytes(sizeof(T));

    /// <summary>Makes room for a second argument struct in the reply (FUSE_CREATE).</summary>
    public RequestSlot ExpectMore<T>()
        where T : unmanaged => ExpectReplyBytes(sizeof(T));

    /// <summary>Makes room for a reply of up to <paramref name="bytes"/> of data, which will be found in <see cref="Data"/>.</summary>
    public RequestSlot ExpectData(int bytes) => ExpectReply().AddDataSegments(bytes, deviceWrites: true);

    /// <summary>
    /// Starts an empty chain, to be filled with <see cref="AppendReadable"/>, <see cref="AppendWritable"/> and <see cref="AddSegment"/>.
    /// </summary>
    public void BeginRaw()
    {
        _segmentCount = 0;
        _requestUsed = 0;
        _replyUsed = 0;
        _sentLength = 0;
        Opcode = 0;
    }

    /// <summary>Appends any bytes as one descriptor that the device reads.</summary>
    public RequestSlot AppendReadable(ReadOnlySpan<byte> bytes)
    {
        Span<byte> room = TakeRequestRoom(bytes.Length, out ulong address);
        bytes.CopyTo(room);
        return AddSegment(address, (uint)bytes.Length, deviceWrites: false);
    }

    /// <summary>Appends one descriptor of that many bytes that the device writes.</summary>
    public void AppendWritable(int bytes) => ExpectReplyBytes(bytes);

    /// <summary>Appends a descriptor with any address and length, be they in guest memory or not.</summary>
    public RequestSlot AddSegment(ulong address, uint length, bool deviceWrites)
    {
        _segments[_segmentCount++] = new ChainSegment(address, length, deviceWrites);
        _sentLength += deviceWrites ? 0 : (int)length;
        return this;
    }

    /// <summary>The reply's error; <see cref="Errno.None"/> when it succeeded.</summary>
    /// <exception cref="FuseProtocolException">The reply is not this request's, or its length is impossible.</exception>
    public Errno ReadError()
    {
        fuse_out_header header = ReplyHeader;
        if (header.unique != Header.unique)
        {
            throw new FuseProtocolException($"{Opcode}: the reply answers request {header.unique}, not {Header.unique}");
        }

        if (header.len < sizeof(fuse_out_header) || header.len > ReplyCapacity)
        {
            throw new FuseProtocolException($"{Opcode}: a reply of {header.len} bytes for a chain with room for {ReplyCapacity}");
        }

        return header.error <= 0 ? (Errno)(-header.error) : throw new FuseProtocolException($"{Opcode}: error {header.error} is positive");
    }

    /// <summary>The argument struct of a successful reply.</summary>
    /// <param name="offset">Bytes of other structs before it.</param>
    /// <exception cref="FuseProtocolException">The reply is shorter.</exception>
    public T ReadReply<T>(int offset = 0)
        where T : unmanaged
    {
        int end = sizeof(fuse_out_header) + offset + sizeof(T);
        return ReplyHeader.len >= end
            // SAFETY: a span of the reply area: what does not lie within it, whatever the daemon says its length is,
            // throws.
            ? MemoryMarshal.Read<T>(_reply.Span[(end - sizeof(T))..])
            : throw new FuseProtocolException($"{Opcode}: a reply of {ReplyHeader.len} bytes, {end} are right");
    }

    /// <summary>The data of a successful reply to a request made with <see cref="ExpectData"/>.</summary>
    // SAFETY: as ReadReply.
    public ReadOnlySpan<byte> ReadData() => _data.Span[..(int)(ReplyHeader.len - sizeof(fuse_out_header))];

    /// <summary>The bytes of the reply, as far as they were not data; for raw requests.</summary>
    public ReadOnlySpan<byte> RawReply => _reply.Span[.._replyUsed];

    /// <summary>Numbers the request and writes its length, unless the chain is raw.</summary>
    internal void Seal(ulong unique)
    {
        if (Opcode != 0)
        {
            ref fuse_in_header header = ref Header;
            header.unique = unique;
            header.len = (uint)_sentLength;
        }
    }

    internal void Complete(uint bytesWritten)
    {
        BytesWritten = bytesWritten;
        Status = State.Complete;
    }

    // SAFETY: the request area starts with the header whenever Begin was called, and is larger than it in any case.
    private ref fuse_in_header Header => ref *(fuse_in_header*)_request.Pointer;

    // SAFETY: the reply area is larger than a reply header.
    private fuse_out_header ReplyHeader => *(fuse_out_header*)_reply.Pointer;

    private int ReplyCapacity
    {
        get
        {
            uint bytes = 0;
            foreach (ChainSegment segment in Segments)
            {
                bytes += segment.DeviceWrites ? segment.Length : 0;
            }

            return (int)bytes;
        }
    }

    private static ReadOnlySpan<byte> BytesOf<T>(in T value)
        where T : unmanaged => MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value));

    private Span<byte> TakeRequestRoom(int bytes, out ulong address)
    {
        GuestBuffer room = _request.Slice(_requestUsed, bytes);
        _requestUsed += bytes;
        address = room.Address;
        return room.Span;
    }

    private RequestSlot ExpectReplyBytes(int bytes)
    {
        GuestBuffer room = _reply.Slice(_replyUsed, bytes);
        _replyUsed += bytes;
        return AddSegment(room.Address, (uint)bytes, deviceWrites: true);
    }

    private RequestSlot AddDataSegments(int bytes, bool deviceWrites)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes, _data.Length);
        for (int offset = 0; offset < bytes; offset += DataSegmentBytes)
        {
            AddSegment(_data.Address + (ulong)offset, (uint)Math.Min(DataSegmentBytes, bytes - offset), deviceWrites);
        }

        return this;
    }
}
