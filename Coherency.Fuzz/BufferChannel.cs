using System.Runtime.InteropServices;
using Coherency.Core.Fuse;

namespace Coherency.Fuzz;

/// <summary>Requests and replies in buffers of exactly their size, so that whoever goes beyond them meets the end of the memory.</summary>
internal sealed unsafe class BufferChannel : FuseChannel, IDisposable
{
    private readonly FuseRequest _request;

    public BufferChannel() => _request = new FuseRequest(this);

    /// <summary>Bytes of the last reply.</summary>
    public int Replied { get; private set; }

    /// <summary>Has a session handle one message.</summary>
    /// <param name="room">For the reply, in bytes.</param>
    public void Carry(FuzzedSession session, ReadOnlySpan<byte> message, int room)
    {
        void* sent = NativeMemory.Alloc((nuint)message.Length);
        void* answered = NativeMemory.Alloc((nuint)room);
        try
        {
            message.CopyTo(new Span<byte>(sent, message.Length));
            _request.Reset(0);
            _request.TryAddReadable((byte*)sent, (uint)message.Length);
            _request.TryAddWritable((byte*)answered, (uint)room);
            session.Handle(_request);
        }
        finally
        {
            NativeMemory.Free(sent);
            NativeMemory.Free(answered);
        }
    }

    public override void Complete(FuseRequest request, int bytes) => Replied = bytes;

    /// <summary>Nothing has to wait for a lock that nobody has.</summary>
    public override void Park(FuseRequest request) => throw new InvalidOperationException($"{request.Opcode} waits");

    public override void ReportNoRoom(FuseRequest request, long bodyBytes)
    {
    }

    public void Dispose() => _request.Dispose();
}
