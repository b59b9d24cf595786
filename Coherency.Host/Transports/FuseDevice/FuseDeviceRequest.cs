using System.Runtime.InteropServices;
using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;

namespace Coherency.Host.Transports.FuseDevice;

/// <summary>
/// A request of /dev/fuse with the buffers that the kernel copies it into and its reply out of. They are its own, so that it
/// may wait for a lock while its thread goes on.
/// </summary>
/// <remarks>
/// The payload of WRITE and that of a reply begin at a page each: memory that begins elsewhere, file systems do not take for
/// O_DIRECT.
/// </remarks>
internal sealed unsafe class FuseDeviceRequest(FuseDeviceChannel channel) : FuseRequest(channel)
{
    private const int PageBytes = 4096;

    /// <summary>A page for what precedes the payload, and the message.</summary>
    private const int BufferBytes = PageBytes + FuseLimits.MessageBytesMax;

    // SAFETY: two of BufferBytes, each with room for MessageBytesMax from where its message begins, within its first
    // page. They stay as long as the object, which is in the channel, with a thread or with who has it wait.
    private readonly byte* _buffers = (byte*)NativeMemory.AlignedAlloc(2 * BufferBytes, PageBytes);

    ~FuseDeviceRequest() => NativeMemory.AlignedFree(_buffers);

    public byte* Message => _buffers + PageBytes - sizeof(fuse_in_header) - sizeof(fuse_write_in);

    public byte* ReplyMessage => _buffers + BufferBytes + PageBytes - sizeof(fuse_out_header);

    /// <summary>Takes the message of <paramref name="bytes"/> that stands in <see cref="Message"/>.</summary>
    public void Begin(int bytes)
    {
        Reset(0);
        TryAddReadable(Message, (uint)bytes);
        TryAddWritable(ReplyMessage, FuseLimits.MessageBytesMax);
    }
}
