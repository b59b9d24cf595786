using System.Runtime.InteropServices;
using Coherency.Core.Fuse;

namespace Coherency.Host.Transports.FuseDevice;

/// <summary>
/// A request of /dev/fuse with the buffers that the kernel copies it into and its reply out of. They are its own, so that it
/// may wait for a lock while its thread goes on.
/// </summary>
internal sealed unsafe class FuseDeviceRequest(FuseDeviceChannel channel) : FuseRequest(channel)
{
    private readonly byte* _buffers = (byte*)NativeMemory.Alloc(2 * FuseLimits.MessageBytesMax);

    ~FuseDeviceRequest() => NativeMemory.Free(_buffers);

    public byte* Message => _buffers;

    public byte* ReplyMessage => _buffers + FuseLimits.MessageBytesMax;

    /// <summary>Takes the message of <paramref name="bytes"/> that stands in <see cref="Message"/>.</summary>
    public void Begin(int bytes)
    {
        Reset(0);
        TryAddReadable(Message, (uint)bytes);
        TryAddWritable(ReplyMessage, FuseLimits.MessageBytesMax);
    }
}
