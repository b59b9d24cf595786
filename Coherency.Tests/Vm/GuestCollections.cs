using Coherency.Guest.VirtualMachines;
using Xunit;

namespace Coherency.Tests.Vm;

/// <summary>QEMU and kernel of this machine's own Debian.</summary>
[CollectionDefinition(Collection)]
public sealed class StableGuests() : TwoGuests(() => VirtualMachineImage.Stable, FileSystemDevice.VhostUserFs),
    ICollectionFixture<StableGuests>
{
    public const string Collection = "guests of Debian stable";
}

/// <summary>The newest QEMU and kernel, attached as on the older QEMU.</summary>
[CollectionDefinition(Collection)]
public sealed class SidGuests() : TwoGuests(() => VirtualMachineImage.Sid, FileSystemDevice.VhostUserFs),
    ICollectionFixture<SidGuests>
{
    public const string Collection = "guests of Debian sid";
}

/// <summary>The newest QEMU's generic device, the only one there with shared-memory regions.</summary>
[CollectionDefinition(Collection)]
public sealed class SidGenericDeviceGuests()
    : TwoGuests(() => VirtualMachineImage.Sid, FileSystemDevice.GenericVhostUser),
    ICollectionFixture<SidGenericDeviceGuests>
{
    public const string Collection = "guests of Debian sid on the generic device";
}
