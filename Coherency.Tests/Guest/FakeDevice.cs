using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Coherency.Core.Virtio.Abi;
using Coherency.Guest.Virtio;

namespace Coherency.Tests.Guest;

/// <summary>
/// Device side of a split ring in the test's own process, written from VIRTIO 1.2 section 2.7 and sharing no code with the
/// driver: it answers each chain with the bytes that it read, reversed. Nothing happens until <see cref="Serve"/>.
/// </summary>
internal sealed class FakeDevice(GuestRam memory, RawVirtqueue ring, ushort startIndex = 0)
{
    private readonly List<ushort> _taken = [];
    private ushort _seen = startIndex;
    private ushort _used = startIndex;

    /// <summary>Heads taken from the available ring and not returned yet, in order.</summary>
    public IReadOnlyList<ushort> Taken => _taken;

    /// <summary>The driver's used_event.</summary>
    public ushort UsedEvent => BinaryPrimitives.ReadUInt16LittleEndian(ring.Available.Span[^2..]);

    /// <summary>Sets avail_event: kick me at this available index.</summary>
    public void AskForKickAt(ushort index) => BinaryPrimitives.WriteUInt16LittleEndian(ring.Used.Span[^2..], index);

    /// <summary>Sets VRING_USED_F_NO_NOTIFY or clears it.</summary>
    public void WantNoKicks(bool none) =>
        BinaryPrimitives.WriteUInt16LittleEndian(ring.Used.Span, none ? VringFlags.VRING_USED_F_NO_NOTIFY : (ushort)0);

    /// <summary>Takes all available chains and returns them answered, in order.</summary>
    public void Serve()
    {
        Take();
        while (_taken.Count > 0)
        {
            Answer(0);
        }
    }

    /// <summary>Takes all available chains.</summary>
    public void Take()
    {
        ushort available = BinaryPrimitives.ReadUInt16LittleEndian(ring.Available.Span[2..]);
        while (_seen != available)
        {
            int position = _seen++ % ring.Size;
            _taken.Add(BinaryPrimitives.ReadUInt16LittleEndian(ring.Available.Span[(4 + (position * 2))..]));
        }
    }

    /// <summary>Answers and returns one of <see cref="Taken"/>.</summary>
    public void Answer(int which)
    {
        ushort head = _taken[which];
        _taken.RemoveAt(which);
        List<vring_desc> chain = ReadChain(head);
        byte[] request = [.. chain.Where(IsReadable).SelectMany(descriptor => At(descriptor).ToArray())];
        Array.Reverse(request);
        Return(head, Scatter(request, chain.Where(descriptor => !IsReadable(descriptor))));
    }

    /// <summary>Puts any id into the used ring.</summary>
    public void Return(uint id, uint length)
    {
        Span<byte> element = ring.Used.Span.Slice(4 + (_used % ring.Size * 8), 8);
        BinaryPrimitives.WriteUInt32LittleEndian(element, id);
        BinaryPrimitives.WriteUInt32LittleEndian(element[4..], length);
        BinaryPrimitives.WriteUInt16LittleEndian(ring.Used.Span[2..], ++_used);
    }

    private static bool IsReadable(vring_desc descriptor) => (descriptor.flags & VringFlags.VRING_DESC_F_WRITE) == 0;

    private List<vring_desc> ReadChain(ushort head)
    {
        ReadOnlySpan<vring_desc> table = MemoryMarshal.Cast<byte, vring_desc>(ring.Descriptors.Span);
        if ((table[head].flags & VringFlags.VRING_DESC_F_INDIRECT) != 0)
        {
            table = MemoryMarshal.Cast<byte, vring_desc>(At(table[head]));
            head = 0;
        }

        List<vring_desc> chain = [table[head]];
        while ((chain[^1].flags & VringFlags.VRING_DESC_F_NEXT) != 0)
        {
            chain.Add(table[chain[^1].next]);
        }

        return chain;
    }

    private uint Scatter(ReadOnlySpan<byte> data, IEnumerable<vring_desc> descriptors)
    {
        int written = 0;
        foreach (vring_desc descriptor in descriptors)
        {
            Span<byte> target = At(descriptor);
            int bytes = Math.Min(target.Length, data.Length - written);
            data.Slice(written, bytes).CopyTo(target);
            written += bytes;
        }

        return (uint)written;
    }

    private unsafe Span<byte> At(vring_desc descriptor)
    {
        Assert.InRange(descriptor.addr, GuestRam.BaseAddress, memory.EndAddress - descriptor.len);

        // SAFETY: the range was just found to be within guest memory, which is mapped as one piece from its first region on.
        return new Span<byte>((byte*)(memory.Regions[0].UserAddress + (descriptor.addr - GuestRam.BaseAddress)), (int)descriptor.len);
    }
}
