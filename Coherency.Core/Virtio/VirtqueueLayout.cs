using Coherency.Core.Virtio.Abi;

namespace Coherency.Core.Virtio;

/// <summary>Sizes and offsets of a split virtqueue of a given number of entries, in bytes (VIRTIO 1.2, 2.7).</summary>
public static unsafe class VirtqueueLayout
{
    /// <summary>The largest split ring (2.7: "The maximum Queue Size value is 32768").</summary>
    public const int EntriesMax = 32768;

    public static bool IsValidSize(uint entries) => entries is > 0 and <= EntriesMax && (entries & (entries - 1)) == 0;

    public static uint DescriptorBytes(uint entries) => entries * (uint)sizeof(vring_desc);

    /// <summary>Ring and <c>used_event</c> included.</summary>
    public static uint AvailableBytes(uint entries) => UsedEventOffset(entries) + sizeof(ushort);

    /// <summary>Ring and <c>avail_event</c> included.</summary>
    public static uint UsedBytes(uint entries) => AvailableEventOffset(entries) + sizeof(ushort);

    public static uint UsedEventOffset(uint entries) => (uint)sizeof(vring_avail) + (entries * sizeof(ushort));

    public static uint AvailableEventOffset(uint entries) => (uint)sizeof(vring_used) + (entries * (uint)sizeof(vring_used_elem));
}
