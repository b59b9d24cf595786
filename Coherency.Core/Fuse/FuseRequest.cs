using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;

namespace Coherency.Core.Fuse;

/// <summary>
/// One request in flight: the client's memory that holds it and that takes its reply. It is the only type that reads and
/// writes that memory. What the client could change while we look (all of it, when the client is a guest) is copied once,
/// by <see cref="TryLoad"/>; payloads move between that memory and files without being looked at.
/// </summary>
/// <remarks>
/// Instances are reused, so that a request allocates nothing. One thread at a time owns an instance: the one that received
/// it, then the one that it was handed to. <see cref="FuseChannel.Complete"/> ends the ownership.
/// </remarks>
public unsafe class FuseRequest(FuseChannel channel) : IDisposable
{
    private RequestBuffers? _buffers;
    // SAFETY: the vectors and _body lie in _buffers, in _shrunk or, _body, in a message that the channel keeps. Shrink
    // copies before it gives back, and Complete ends the request: what they point to afterwards nobody looks at until
    // Reset and TryLoad have set them anew.
    private byte* _shrunk;
    private IoVec* _readable;
    private IoVec* _writable;

    /// <summary>The one room for a reply of a shrunk request that has no arguments; then <see cref="_writable"/> is null.</summary>
    private IoVec _room;
    private byte* _body;
    private int _readableCount;
    private int _writableCount;
    private long _readableBytes;
    private long _writableBytes;

    /// <summary>Of these, how many stand before the first piece that only system calls may touch.</summary>
    private long _readablePlain;
    private long _writablePlain;
    private readonly List<IDisposable> _leases = [];
    private fuse_in_header _header;
    private bool _isUnanswered;

    ~FuseRequest() => NativeMemory.Free(_shrunk);

    /// <summary>Where the request came from and its reply goes.</summary>
    public FuseChannel Channel => channel;

    /// <summary>The channel's own mark of this request (a descriptor index, say).</summary>
    public int Token { get; private set; }

    /// <summary>How many requests the instance has been; for <see cref="IsUnanswered"/>.</summary>
    public uint Generation { get; private set; }

    /// <summary>
    /// When the daemon took it, as <see cref="System.Diagnostics.Stopwatch.GetTimestamp"/> has it; 0 when it is not timed. The transport
    /// says it.
    /// </summary>
    public long ArrivedAt { get; set; }

    public FuseOpcode Opcode { get; private set; }

    public NodeId Node => new(_header.nodeid);

    public ulong Unique => _header.unique;

    public uint Uid => _header.uid;

    public uint Gid => _header.gid;

    public uint Pid => _header.pid;

    /// <summary>Bytes of the request's arguments; of WRITE without its payload, of others without extensions.</summary>
    public int BodyLength { get; private set; }

    /// <summary>Arguments in memory that the client cannot change.</summary>
    internal byte* Body => _body;

    /// <summary>Extensions (security contexts, groups) after the arguments, in memory that the client cannot change.</summary>
    // SAFETY: TryLoadBody found both lengths together behind _body. Only what has been loaded is asked for its
    // extensions.
    public ReadOnlySpan<byte> Extensions => new(_body + BodyLength, ExtensionLength);

    private int ExtensionLength { get; set; }

    /// <summary>Bytes of WRITE's payload.</summary>
    public long PayloadLength { get; private set; }

    /// <summary>Bytes that a reply may have after its header; negative when there is no room for the header either.</summary>
    public long ReplyCapacity => (_writablePlain < sizeof(fuse_out_header) ? _writablePlain : _writableBytes) - sizeof(fuse_out_header);

    /// <summary>The daemon's own memory to build a reply in.</summary>
    // SAFETY: RequestBuffers has so many bytes there, which stay until the request is answered or shrunk.
    public Span<byte> Scratch => new(Buffers.Scratch, FuseLimits.ScratchBytesMax);

    /// <summary>It holds <see cref="RequestBuffers"/>: it was not <see cref="Shrink">shrunk</see>, or has needed some since.</summary>
    public bool HasBuffers => _buffers is not null;

    private RequestBuffers Buffers => _buffers ??= Channel.RentBuffers();

    /// <summary>Forgets the previous request.</summary>
    public void Reset(int token)
    {
        Token = token;
        Generation++;
        _isUnanswered = true;
        _readable = Buffers.Readable;
        _writable = Buffers.Writable;
        _readableCount = 0;
        _writableCount = 0;
        _readableBytes = 0;
        _writableBytes = 0;
        _readablePlain = 0;
        _writablePlain = 0;
        _header = default;
    }

    /// <summary>Does the instance still stand for the request of that <see cref="Generation"/>, which has got no answer?</summary>
    public bool IsUnanswered(uint generation) => _isUnanswered && Generation == generation;

    /// <summary>Adds a piece of the request; false when there are too many.</summary>
    /// <param name="lease">
    /// Of memory that only system calls may touch, so that it holds a payload or nothing; disposed of when the request ends. Null for
    /// other memory.
    /// </param>
    public bool TryAddReadable(byte* start, uint length, IDisposable? lease = null)
    {
        if (_readableCount == FuseLimits.SegmentsMax)
        {
            return false;
        }

        // SAFETY: the vector has SegmentsMax places, of which one was found to be left. That the piece is memory, and
        // stays until Complete, is the transport's: Virtqueue.TryAddBuffer, FuseDeviceRequest.Begin.
        _readable[_readableCount++] = new IoVec(start, length);
        Count(ref _readableBytes, ref _readablePlain, length, lease);
        return true;
    }

    /// <summary>Adds a piece of the room for the reply; false when there are too many.</summary>
    /// <param name="lease">As of <see cref="TryAddReadable"/>.</param>
    public bool TryAddWritable(byte* start, uint length, IDisposable? lease = null)
    {
        if (_writableCount == FuseLimits.SegmentsMax)
        {
            return false;
        }

        // SAFETY: as in TryAddReadable.
        _writable[_writableCount++] = new IoVec(start, length);
        Count(ref _writableBytes, ref _writablePlain, length, lease);
        return true;
    }

    /// <summary>
    /// Copies header and arguments and judges their lengths. On failure <paramref name="problem"/> says what was wrong and
    /// the request can still be answered with <paramref name="error"/>.
    /// </summary>
    /// <param name="isPrivate">The client cannot change the memory any more: arguments need no copy.</param>
    public bool TryLoad(bool isPrivate, out Errno error, out string? problem)
    {
        error = Errno.EINVAL;
        BodyLength = 0;
        ExtensionLength = 0;
        PayloadLength = 0;
        if (_readablePlain < sizeof(fuse_in_header))
        {
            problem = _readableBytes < sizeof(fuse_in_header)
                ? $"a request of {_readableBytes} bytes holds no header"
                : "the header lies in shared memory of the device";
            return false;
        }

        CopyOut(0, MemoryMarshal.AsBytes(new Span<fuse_in_header>(ref _header)));
        if (_header.len != _readableBytes)
        {
            problem = $"the header of opcode {_header.opcode} says {_header.len} bytes, {_readableBytes} came";
            return false;
        }

        if (!FuseOpcodes.TryParse(_header.opcode, out FuseOpcode opcode))
        {
            error = Errno.ENOSYS;
            problem = $"opcode {_header.opcode} is not one of the protocol's";
            return false;
        }

        Opcode = opcode;
        return TryLoadBody(isPrivate, ref error, out problem);
    }

    /// <summary>The payload of WRITE, in the client's memory.</summary>
    public IoVec* PayloadSource(out int count)
    {
        count = Slice(_readable, _readableCount, sizeof(fuse_in_header) + BodyLength, PayloadLength);
        return Buffers.Payload;
    }

    /// <summary>Room for <paramref name="bytes"/> of a reply's data, in the client's memory; less when there is less.</summary>
    public IoVec* PayloadTarget(long bytes, out int count)
    {
        count = Slice(_writable, _writableCount, sizeof(fuse_out_header), Math.Min(bytes, ReplyCapacity));
        return Buffers.Payload;
    }

    /// <summary>Answers with a failure.</summary>
    public void ReplyError(Errno error) => Reply(-(int)error, default);

    /// <summary>
    /// Answers a request of which not all could be found: no answer at all would look like success where the client has zeroed the
    /// room for one.
    /// </summary>
    public void Reject(Errno error)
    {
        if (_readablePlain >= sizeof(fuse_in_header))
        {
            CopyOut(0, MemoryMarshal.AsBytes(new Span<fuse_in_header>(ref _header)));
        }

        if (ReplyCapacity >= 0)
        {
            ReplyError(error);
        }
        else
        {
            CompleteWithoutReply();
        }
    }

    /// <summary>Answers with nothing but success.</summary>
    public void ReplySuccess() => Reply(0, default);

    /// <summary>Answers with one struct.</summary>
    public void Reply<T>(in T body)
        where T : unmanaged => Reply(0, MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in body)));

    /// <summary>Answers with bytes.</summary>
    public void Reply(ReadOnlySpan<byte> body) => Reply(0, body);

    /// <summary>Answers with <paramref name="bytes"/> that stand in <see cref="PayloadTarget"/> already.</summary>
    public void ReplyInPlace(long bytes)
    {
        if (TryWriteHeader(0, bytes))
        {
            Complete(sizeof(fuse_out_header) + (int)bytes);
        }
    }

    /// <summary>Its arguments have been taken and are not asked for again: if it waits, it needs no memory for them.</summary>
    public void DropArguments()
    {
        _readableCount = 0;
        BodyLength = 0;
        ExtensionLength = 0;
        PayloadLength = 0;
    }

    /// <summary>
    /// Gives up what a request that waits does not need. It can be carried out all the same, and shrunk again if it has to wait on.
    /// Its arguments lie in the daemon's memory.
    /// </summary>
    public void Shrink()
    {
        if (_readableCount == 0 && _writableCount == 1)
        {
            // Again, it stands there already.
            _room = _writable is null ? _room : _writable[0];
            _writable = null;
        }
        else if (_shrunk is null)
        {
            int vectorBytes = (_readableCount + _writableCount) * sizeof(IoVec);
            int bodyBytes = BodyLength + ExtensionLength;
            // SAFETY: room for both vectors and the body, of which there is at least the byte that the pointer to it names.
            _shrunk = (byte*)NativeMemory.Alloc((nuint)(vectorBytes + bodyBytes + 1));
            IoVec* vectors = (IoVec*)_shrunk;
            new ReadOnlySpan<IoVec>(_readable, _readableCount).CopyTo(new Span<IoVec>(vectors, _readableCount));
            new ReadOnlySpan<IoVec>(_writable, _writableCount).CopyTo(new Span<IoVec>(vectors + _readableCount, _writableCount));
            new ReadOnlySpan<byte>(_body, bodyBytes).CopyTo(new Span<byte>(_shrunk + vectorBytes, bodyBytes));
            _readable = vectors;
            _writable = vectors + _readableCount;
            _body = _shrunk + vectorBytes;
        }

        if (_buffers is { } buffers)
        {
            _buffers = null;
            Channel.ReturnBuffers(buffers);
        }
    }

    /// <summary>Ends a request that takes no reply (FORGET).</summary>
    public void CompleteWithoutReply() => Complete(0);

    public void Dispose()
    {
        GC.SuppressFinalize(this);
        EndLeases();
        _buffers?.Dispose();
        NativeMemory.Free(_shrunk);
    }

    private bool TryLoadBody(bool isPrivate, ref Errno error, out string? problem)
    {
        long length = _readableBytes - sizeof(fuse_in_header);
        if (Opcode == FuseOpcode.Write)
        {
            PayloadLength = Math.Max(0, length - sizeof(fuse_write_in));
            length -= PayloadLength;
        }

        if (isPrivate && _readableCount == 1)
        {
            // SAFETY: the one piece has _readableBytes, of which TryLoad found the header's to be there, and stays as
            // it is.
            _body = _readable[0].Base + sizeof(fuse_in_header);
        }
        else if (sizeof(fuse_in_header) + length > _readablePlain)
        {
            error = Errno.EFAULT;
            problem = $"arguments of {Opcode} lie in shared memory of the device";
            return false;
        }
        else if (length <= FuseLimits.BodyBytesMax)
        {
            // SAFETY: the buffers have BodyBytesMax there, which the length was found not to exceed.
            _body = Buffers.Body;
            CopyOut(sizeof(fuse_in_header), new Span<byte>(_body, (int)length));
        }
        else
        {
            error = Errno.E2BIG;
            problem = $"{Opcode} carries {length} bytes of arguments, {FuseLimits.BodyBytesMax} are the most";
            return false;
        }

        int extensions = _header.total_extlen * 8;
        if (extensions > length)
        {
            problem = $"{Opcode} announces {extensions} bytes of extensions, {length} bytes came";
            return false;
        }

        ExtensionLength = extensions;
        BodyLength = (int)length - extensions;
        problem = null;
        return true;
    }

    /// <summary>Copies bytes of the request, each exactly once, to the daemon's own memory.</summary>
    // SAFETY: callers have found offset and target together to be within _readableBytes, the sum of the vectors. A
    // guest may change the bytes while they are copied: only the copy is judged.
    private void CopyOut(long offset, Span<byte> target)
    {
        int i = 0;
        while (!target.IsEmpty)
        {
            long length = (long)_readable[i].Length;
            if (offset < length)
            {
                int n = (int)Math.Min(length - offset, target.Length);
                new ReadOnlySpan<byte>(_readable[i].Base + offset, n).CopyTo(target);
                target = target[n..];
                offset += n;
            }

            offset -= length;
            i++;
        }
    }

    // SAFETY: each part lies within the vector that it is of, and Payload has room for as many as there can be,
    // SegmentsMax.
    private int Slice(IoVec* source, int count, long skip, long bytes)
    {
        IoVec* payload = Buffers.Payload;
        int n = 0;
        for (int i = 0; i < count && bytes > 0; i++)
        {
            long length = (long)source[i].Length;
            if (skip >= length)
            {
                skip -= length;
                continue;
            }

            long part = Math.Min(length - skip, bytes);
            payload[n++] = new IoVec(source[i].Base + skip, (nuint)part);
            bytes -= part;
            skip = 0;
        }

        return n;
    }

    /// <summary>A reply that is no payload and would lie in memory for system calls is an error instead.</summary>
    private void Reply(int error, ReadOnlySpan<byte> body)
    {
        if (body.Length <= ReplyCapacity && sizeof(fuse_out_header) + body.Length > _writablePlain)
        {
            error = -(int)Errno.EFAULT;
            body = default;
        }

        if (!TryWriteHeader(error, body.Length))
        {
            return;
        }

        CopyIn(sizeof(fuse_out_header), body);
        Complete(sizeof(fuse_out_header) + body.Length);
    }

    private void Complete(int bytes)
    {
        _isUnanswered = false;
        if (_shrunk is not null)
        {
            NativeMemory.Free(_shrunk);
            _shrunk = null;
        }

        EndLeases();
        Channel.Complete(this, bytes);
    }

    private void Count(ref long bytes, ref long plain, uint length, IDisposable? lease)
    {
        if (lease is not null)
        {
            _leases.Add(lease);
        }
        else if (plain == bytes)
        {
            plain += length;
        }

        bytes += length;
    }

    private void EndLeases()
    {
        foreach (IDisposable lease in _leases)
        {
            lease.Dispose();
        }

        _leases.Clear();
    }

    private bool TryWriteHeader(int error, long bodyBytes)
    {
        if (bodyBytes > ReplyCapacity)
        {
            Channel.ReportNoRoom(this, bodyBytes);
            Complete(0);
            return false;
        }

        fuse_out_header header = new() { len = (uint)(sizeof(fuse_out_header) + bodyBytes), error = error, unique = _header.unique };
        CopyIn(0, MemoryMarshal.AsBytes(new ReadOnlySpan<fuse_out_header>(in header)));
        return true;
    }

    // SAFETY: TryWriteHeader found header and body together to be within _writableBytes, the sum of the vectors.
    private void CopyIn(long offset, ReadOnlySpan<byte> source)
    {
        int i = 0;
        while (!source.IsEmpty)
        {
            IoVec room = _writable is null ? _room : _writable[i];
            long length = (long)room.Length;
            if (offset < length)
            {
                int n = (int)Math.Min(length - offset, source.Length);
                source[..n].CopyTo(new Span<byte>(room.Base + offset, n));
                source = source[n..];
                offset += n;
            }

            offset -= length;
            i++;
        }
    }
}
