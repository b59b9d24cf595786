using Coherency.Core.Virtio.Abi;
using Coherency.Guest.Virtio;

namespace Coherency.Tests.Hostile;

/// <summary>A way to break the rules of a virtqueue.</summary>
/// <param name="Logged">What the daemon must say about it.</param>
/// <param name="StopsQueue">Nothing of the ring can be trusted any more; otherwise only the one chain is dropped.</param>
internal sealed record RingAttack(string Name, string Logged, bool StopsQueue, Action<AttackedRing> Run)
{
    public override string ToString() => Name;
}

/// <summary>Every rule of VIRTIO 1.2, section 2.7, that a driver can break.</summary>
internal static class RingAttacks
{
    public static IReadOnlyList<RingAttack> All { get; } =
    [
        new("descriptor that follows itself", "runs in a circle", false, Direct(r => r.Readable(AttackedRing.Next, 0))),
        new(
            "two descriptors in a circle",
            "runs in a circle",
            false,
            Direct(r => r.Readable(AttackedRing.Next, 1), r => r.Readable(AttackedRing.Next, 0))),
        new("next beyond the table", "is not in a table of", false, Direct(r => r.Readable(AttackedRing.Next, (ushort)r.Queue.Size))),
        new("next far beyond the table", "is not in a table of", false, Direct(r => r.Readable(AttackedRing.Next, ushort.MaxValue))),
        new("head beyond the table", "head 65535 is not in a table", true, ring => ring.Offer(ushort.MaxValue)),
        new("available index beyond the ring", "entries ahead", true, JumpAhead),
        new("buffer below memory", "do not lie within one region", false, Direct(r => r.Readable() with { addr = 16 })),
        new(
            "buffer above memory",
            "do not lie within one region",
            false,
            Direct(r => r.Readable() with { addr = r.Frontend.Memory.EndAddress })),
        new(
            "buffer across the end of memory",
            "do not lie within one region",
            false,
            Direct(r => r.Readable() with { addr = r.Frontend.Memory.EndAddress - 8, len = 64 })),
        new(
            "buffer across two regions",
            "do not lie within one region",
            false,
            Direct(r => r.Readable() with { addr = r.Frontend.Memory.Regions[1].GuestAddress - 8, len = 64 })),
        new(
            "buffer whose end wraps around",
            "do not lie within one region",
            false,
            Direct(r => r.Readable() with { addr = ulong.MaxValue - 7, len = 64 })),
        new("buffer of 4 GiB", "do not lie within one region", false, Direct(r => r.Readable() with { len = uint.MaxValue })),
        new(
            "readable after writable",
            "a readable buffer follows a writable one",
            false,
            Direct(r => r.Writable(AttackedRing.Next, 1), r => r.Readable())),
        new("indirect table of no entries", "is not one", false, Direct(r => Table(r, 0))),
        new("indirect table of a broken length", "is not one", false, Direct(r => Table(r, 17))),
        new("indirect table outside memory", "is not one", false, Direct(r => Table(r, 32) with { addr = 16 })),
        new(
            "indirect table with a next",
            "stands where none may",
            false,
            Direct(r => Table(r, 32) with { flags = AttackedRing.Indirect | AttackedRing.Next })),
        new("indirect table in an indirect table", "stands where none may", false, InTable(r => Table(r, 32))),
        new(
            "next beyond an indirect table",
            "is not in a table of",
            false,
            InTable(r => r.Readable(AttackedRing.Next, 2), r => r.Writable())),
        new("circle in an indirect table", "runs in a circle", false, InTable(r => r.Readable(AttackedRing.Next, 0))),
        new("chain longer than the queue", "longer than the queue", false, LongerThanTheQueue),
        new("no room for a reply", "the guest left room for -16", false, Direct(r => r.Readable())),
        new(
            "room for half a header",
            "the guest left room for -8",
            false,
            Direct(r => r.Readable(AttackedRing.Next, 1), r => r.Writable() with { len = 8 })),
        new(
            "request without a header",
            "holds no header",
            false,
            Direct(r => r.Readable(AttackedRing.Next, 1) with { len = 39 }, r => r.Writable())),
        new("request without any bytes", "holds no header", false, Direct(r => r.Writable())),
    ];

    private static Action<AttackedRing> Direct(params Func<AttackedRing, vring_desc>[] chain) => ring =>
    {
        for (int i = 0; i < chain.Length; i++)
        {
            ring.Put(i, chain[i](ring));
        }

        ring.Offer(0);
    };

    private static Action<AttackedRing> InTable(params Func<AttackedRing, vring_desc>[] chain) => ring =>
    {
        for (int i = 0; i < chain.Length; i++)
        {
            ring.PutIndirect(i, chain[i](ring));
        }

        ring.Put(0, Table(ring, (uint)chain.Length * 16));
        ring.Offer(0);
    };

    public static vring_desc Table(AttackedRing ring, uint bytes) =>
        new() { addr = ring.Table.Address, len = bytes, flags = AttackedRing.Indirect };

    private static void JumpAhead(AttackedRing ring)
    {
        ring.Queue.StoreReleaseAvailableIndex((ushort)(ring.Queue.Size + 1));
        ring.Queue.Kick.Signal();
    }

    private static void LongerThanTheQueue(AttackedRing ring)
    {
        for (int i = 0; i <= ring.Queue.Size; i++)
        {
            ring.PutIndirect(i, ring.Readable(AttackedRing.Next, (ushort)(i + 1)));
        }

        ring.Put(0, Table(ring, (uint)((ring.Queue.Size + 1) * 16)));
        ring.Offer(0);
    }
}
