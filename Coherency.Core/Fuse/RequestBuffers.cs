using System.Runtime.InteropServices;
using Coherency.Core.Linux;

namespace Coherency.Core.Fuse;

/// <summary>
/// The daemon's own memory that a thread needs to carry a request out, whatever the client sends: 432 KiB, in one piece. A request
/// that waits does without.
/// </summary>
internal sealed unsafe class RequestBuffers : IDisposable
{
    private const int IoVecBytes = 16;
    private const int VectorBytes = FuseLimits.SegmentsMax * IoVecBytes;

    // SAFETY: what the properties below point to lies within this, one part behind the other, in their order.
    private readonly byte* _memory = (byte*)NativeMemory.Alloc(
        (3 * VectorBytes) + FuseLimits.ScratchBytesMax + FuseLimits.BodyBytesMax + 1);

    ~RequestBuffers() => NativeMemory.Free(_memory);

    /// <summary>
    /// Three vectors of <see cref="FuseLimits.SegmentsMax"/>: the request, the room for its reply, a part of one of them.
    /// </summary>
    public IoVec* Readable => (IoVec*)_memory;

    public IoVec* Writable => (IoVec*)(_memory + VectorBytes);

    public IoVec* Payload => (IoVec*)(_memory + (2 * VectorBytes));

    /// <summary><see cref="FuseLimits.ScratchBytesMax"/>.</summary>
    public byte* Scratch => _memory + (3 * VectorBytes);

    /// <summary><see cref="FuseLimits.BodyBytesMax"/>, and a byte more.</summary>
    public byte* Body => Scratch + FuseLimits.ScratchBytesMax;

    public void Dispose()
    {
        GC.SuppressFinalize(this);
        NativeMemory.Free(_memory);
    }
}
