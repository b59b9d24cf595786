
namespace Coherency.Tests.Guest;

/// <summary>The guest drives a daemon that nobody here wrote: QEMU's C virtiofsd (package qemu-system-common, as root).</summary>
public sealed class CVirtiofsdTests : GuestScenarios
{
    protected override IDisposable StartDaemon(string socketPath) =>
        DaemonProcess.Start(PeerDaemons.CVirtiofsdCommand(), socketPath, Share);

    [Fact]
    public void A_lock_in_one_guest_excludes_the_other() => CheckThatALockExcludesTheOtherGuest();
}

/// <summary>The guest drives the Rust virtiofsd that eng/vm/prepare fetches.</summary>
public sealed class RustVirtiofsdTests : GuestScenarios
{
    protected override IDisposable StartDaemon(string socketPath) =>
        DaemonProcess.Start(PeerDaemons.RustVirtiofsdCommand(PeerDaemons.PreparedRustVirtiofsdPath), socketPath, Share);
}
