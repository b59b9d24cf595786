using Coherency.Core.Virtio;

namespace Coherency.Host.Transports.VhostUser;

/// <summary>A request of a virtqueue: its buffers lie in the guest's memory, which it can hold on to.</summary>
internal sealed class VirtqueueRequest(VirtqueueChannel channel) : Core.Fuse.FuseRequest(channel)
{
    private GuestMemory? _memory;
    private GuestMemory? _held;

    public ushort Head => (ushort)Token;

    /// <summary>Which of its queue's turns it is carried out in: see <see cref="LeaderFollowers"/>.</summary>
    public long Turn { get; private set; }

    /// <summary>Nobody's thread has it: it waits to be tried again.</summary>
    public bool IsHeld => _held is not null;

    /// <summary>It waits for news, and nobody works for it.</summary>
    public bool IsIdle { get; private set; }

    /// <summary>Becomes the request whose chain starts at <paramref name="head"/>.</summary>
    /// <param name="memory">What its buffers lie in: the queue's, while no other thread can go over to another.</param>
    public void Begin(ushort head, GuestMemory memory)
    {
        Reset(head);
        _memory = memory;
    }

    /// <summary>A thread carries it out, which sees to it that the memory stays.</summary>
    public void Take(long turn) => Turn = turn;

    /// <summary>
    /// Keeps the guest's memory mapped until <see cref="LetGo"/>, also when its thread goes on and whatever the front end changes; of
    /// the daemon's own it keeps little.
    /// </summary>
    public void Hold(bool isIdle = false)
    {
        IsIdle = isIdle;
        _held ??= _memory!.Acquire();
        Shrink();
    }

    public void LetGo()
    {
        _held?.Release();
        _held = null;
        _memory = null;
        IsIdle = false;
    }
}
