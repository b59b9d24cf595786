namespace Coherency.Core.Virtio;

/// <summary>Device-independent feature bits (VIRTIO 1.2, section 6), and the one that vhost-user adds.</summary>
[Flags]
public enum VirtioFeatures : ulong
{
    None = 0,
    IndirectDesc = 1UL << 28,
    EventIdx = 1UL << 29,

    /// <summary>VHOST_USER_F_PROTOCOL_FEATURES: never seen by the guest.</summary>
    VhostUserProtocolFeatures = 1UL << 30,
    Version1 = 1UL << 32,
    RingReset = 1UL << 40,
}
