using Coherency.Core.Virtio;

namespace Coherency.Host.Transports.VhostUser;

/// <summary>A request of a virtqueue: its buffers lie in the guest's memory, which it can hold on to.</summary>
internal sealed class VirtqueueRequest(VirtqueueChannel channel) : Core.Fuse.FuseRequest(channel)
{
    private GuestMemory? _held;

    public ushort Head => (ushort)Token;

    /// <summary>Keeps the memory mapped until <see cref="LetGo"/>, whatever the front end changes.</summary>
    public void Hold(GuestMemory memory) => _held ??= memory.Acquire();

    public void LetGo()
    {
        _held?.Release();
        _held = null;
    }
}
