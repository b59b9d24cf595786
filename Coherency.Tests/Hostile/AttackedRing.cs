using System.Diagnostics;
using System.Runtime.InteropServices;
using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Virtio.Abi;
using Coherency.Guest.VhostUser;
using Coherency.Guest.Virtio;

namespace Coherency.Tests.Hostile;

/// <summary>A queue of a connected front end, the first request queue unless told otherwise, with a well-formed request to spoil.</summary>
internal sealed unsafe class AttackedRing
{
    public const ushort Next = VringFlags.VRING_DESC_F_NEXT;
    public const ushort Write = VringFlags.VRING_DESC_F_WRITE;
    public const ushort Indirect = VringFlags.VRING_DESC_F_INDIRECT;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private ushort _nextAvailable;

    public AttackedRing(VhostUserFrontend frontend, int queue = 1)
    {
        Frontend = frontend;
        Queue = frontend.Queues[queue];
        Request = frontend.Memory.Allocate(sizeof(fuse_in_header) + sizeof(fuse_getattr_in));
        Reply = frontend.Memory.Allocate(4096);
        Table = frontend.Memory.Allocate((Queue.Size + 1) * sizeof(vring_desc));
        MemoryMarshal.Write(Request.Span, new fuse_in_header
        {
            len = (uint)Request.Length,
            opcode = (uint)FuseOpcode.GetAttr,
            unique = 1,
            nodeid = NodeId.Root.Value,
        });
    }

    public VhostUserFrontend Frontend { get; }

    public RawVirtqueue Queue { get; }

    /// <summary>A GETATTR of the root.</summary>
    public GuestBuffer Request { get; }

    public GuestBuffer Reply { get; }

    /// <summary>Room for an indirect table, one entry longer than the queue.</summary>
    public GuestBuffer Table { get; }

    public vring_desc Readable(ushort flags = 0, ushort next = 0) =>
        new() { addr = Request.Address, len = (uint)Request.Length, flags = flags, next = next };

    public vring_desc Writable(ushort flags = 0, ushort next = 0) =>
        new() { addr = Reply.Address, len = (uint)Reply.Length, flags = (ushort)(flags | Write), next = next };

    public void Put(int index, vring_desc descriptor) => Queue.WriteDescriptor(index, descriptor);

    public void PutIndirect(int index, vring_desc descriptor) => ((vring_desc*)Table.Pointer)[index] = descriptor;

    /// <summary>Makes the chain at <paramref name="head"/> available and kicks.</summary>
    public void Offer(ushort head)
    {
        Queue.WriteAvailable(_nextAvailable++, head);
        Queue.StoreReleaseAvailableIndex(_nextAvailable);
        Queue.Kick.Signal();
    }

    /// <summary>Waits until everything offered came back.</summary>
    public bool WaitUsed()
    {
        Stopwatch watch = Stopwatch.StartNew();
        while (Queue.LoadAcquireUsedIndex() != _nextAvailable)
        {
            if (watch.Elapsed > Patience)
            {
                return false;
            }

            Thread.Yield();
        }

        return true;
    }
}
