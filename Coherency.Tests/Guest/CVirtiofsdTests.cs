using Coherency.Guest.Daemons;

namespace Coherency.Tests.Guest;

/// <summary>The guest drives a daemon that nobody here wrote: QEMU's C virtiofsd (package qemu-system-common, as root).</summary>
public sealed class CVirtiofsdTests : GuestScenarios
{
    protected override IDisposable StartDaemon(string socketPath) =>
        DaemonProcess.Start(PeerDaemons.CVirtiofsdCommand, socketPath, Share);
}
