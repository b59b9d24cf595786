using System.Runtime.InteropServices;
using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;
using Coherency.Host.Coherence.Holdings;
using Coherency.Host.Server;
using Coherency.Host.Server.Statistics;

namespace Coherency.Tests.Coherence.Holdings;

/// <summary>Sends requests to a session on the calling thread: no queue, no other thread, so that small costs show.</summary>
internal sealed unsafe class DirectClient : FuseChannel, IDisposable
{
    private const int BufferBytes = 8192;

    private readonly byte* _buffers = (byte*)NativeMemory.AllocZeroed(2 * BufferBytes);
    private readonly FuseSession _session;
    private readonly FuseRequest _request;
    private readonly RequestRecorder _recorder;

    public DirectClient(FuseSession session)
    {
        _session = session;
        _recorder = session.Counters.Rent();
        _request = new FuseRequest(this);
        fuse_init_in init = new() { major = 7, minor = 45 };
        Assert.Equal(Errno.None, Send(FuseOpcode.Init, 0, MemoryMarshal.AsBytes(new ReadOnlySpan<fuse_init_in>(in init))));
    }

    public HeldCounts Held => _session.Held!.Counts;

    /// <summary>The answer to the last request, behind its header.</summary>
    public ref readonly T Reply<T>()
        where T : unmanaged => ref *(T*)(_buffers + BufferBytes + sizeof(fuse_out_header));

    /// <param name="name">With its NUL.</param>
    public NodeId Lookup(ReadOnlySpan<byte> name) => Lookup(NodeId.Root, name);

    /// <param name="name">With its NUL.</param>
    public NodeId Lookup(NodeId parent, ReadOnlySpan<byte> name)
    {
        Assert.Equal(Errno.None, Send(FuseOpcode.Lookup, parent.Value, name));
        return new NodeId(Reply<fuse_entry_out>().nodeid);
    }

    /// <summary>Gives one reference back.</summary>
    public void Forget(NodeId node)
    {
        fuse_forget_in arguments = new() { nlookup = 1 };
        Send(FuseOpcode.Forget, node.Value, MemoryMarshal.AsBytes(new ReadOnlySpan<fuse_forget_in>(in arguments)));
    }

    public Errno GetAttr(NodeId node)
    {
        fuse_getattr_in arguments = default;
        return Send(FuseOpcode.GetAttr, node.Value, MemoryMarshal.AsBytes(new ReadOnlySpan<fuse_getattr_in>(in arguments)));
    }

    public Errno Send(FuseOpcode opcode, ulong node, ReadOnlySpan<byte> body)
    {
        fuse_in_header* header = (fuse_in_header*)_buffers;
        *header = new fuse_in_header
        {
            len = (uint)(sizeof(fuse_in_header) + body.Length),
            opcode = (uint)opcode,
            unique = 1,
            nodeid = node,
        };
        body.CopyTo(new Span<byte>(_buffers + sizeof(fuse_in_header), BufferBytes - sizeof(fuse_in_header)));
        _request.Reset(0);
        _request.TryAddReadable(_buffers, header->len);
        _request.TryAddWritable(_buffers + BufferBytes, BufferBytes);
        _session.Handle(_request, isPrivate: true, _recorder);
        return (Errno)(-((fuse_out_header*)(_buffers + BufferBytes))->error);
    }

    public override void Complete(FuseRequest request, int bytes)
    {
    }

    public override void Park(FuseRequest request) => throw new NotSupportedException();

    public override void ReportNoRoom(FuseRequest request, long bodyBytes) => throw new NotSupportedException();

    public void Dispose()
    {
        _session.Dispose();
        _request.Dispose();
        NativeMemory.Free(_buffers);
    }
}
