using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Core.Virtio;

namespace Coherency.Fuzz;

/// <summary>The memory of a guest that has one queue: descriptors, rings, buffers. Everything in it is the input's.</summary>
internal sealed unsafe class QueueTarget : FuzzTarget
{
    private const uint Entries = 16;
    private const ulong GuestAddress = 0x10000;
    private const ulong UserAddress = 0x7000_0000;
    private const ulong AvailableOffset = 0x100;
    private const ulong UsedOffset = 0x200;

    private readonly FuzzedSession _session = new();
    private readonly MemoryMapping _mapping;
    private readonly GuestMemory _memory;

    public QueueTarget()
    {
        int fd = LinuxException.Check(Libc.MemFdCreate("fuzzed", 0), "memfd_create");
        LinuxException.Check(Libc.FTruncate(fd, InputBytesMax), "ftruncate");
        _mapping = MemoryMapping.MapShared(fd, InputBytesMax);
        _memory = new GuestMemory([new MemoryRegion(GuestAddress, UserAddress, InputBytesMax, 0, _mapping)]);
    }

    public override void Take(ReadOnlySpan<byte> input)
    {
        Span<byte> memory = new(_mapping.Start, InputBytesMax);
        input.CopyTo(memory);
        memory[input.Length..].Clear();
        _session.Begin();
        Virtqueue queue = new(
            new VirtqueueSetup(
                Entries,
                UserAddress,
                UserAddress + AvailableOffset,
                UserAddress + UsedOffset,
                VirtioFeatures.IndirectDesc | VirtioFeatures.EventIdx),
            _memory, nextAvailable: 0);
        using QueueChannel channel = new(queue);
        try
        {
            while (queue.TryPop(out ushort head))
            {
                channel.Carry(_session, head);
            }

            queue.EnableNotifications();
        }
        catch (VirtqueueException)
        {
            // The ring is broken, and says so.
        }
        finally
        {
            queue.Close();
        }
    }

    public override void Dispose()
    {
        _session.Dispose();
        _memory.Release();
        base.Dispose();
    }

    private sealed class QueueChannel : FuseChannel, IDisposable
    {
        private readonly Virtqueue _queue;
        private readonly FuseRequest _request;

        public QueueChannel(Virtqueue queue)
        {
            _queue = queue;
            _request = new FuseRequest(this);
        }

        public void Carry(FuzzedSession session, ushort head)
        {
            _request.Reset(head);
            if (_queue.TryReadChain(head, _request, out string? problem))
            {
                session.Handle(_request);
                return;
            }

            ArgumentException.ThrowIfNullOrEmpty(problem);
            _request.Reject(Errno.EIO);
        }

        public override void Complete(FuseRequest request, int bytes) => _queue.Push((ushort)request.Token, (uint)bytes);

        public override void Park(FuseRequest request) => throw new InvalidOperationException($"{request.Opcode} waits");

        public override void ReportNoRoom(FuseRequest request, long bodyBytes)
        {
        }

        public void Dispose() => _request.Dispose();
    }
}
