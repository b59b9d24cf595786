using Coherency.Tests.Guest;

namespace Coherency.Tests.Keeper;

/// <summary>What a guest does with a share goes the same way when its server is in a sandbox.</summary>
[Trait("Category", "Root")]
public sealed class SandboxScenarioTests : GuestScenarios
{
    protected override IDisposable StartDaemon(string socketPath) => KeeperProcess.Start(
        Path.Combine(Path.GetDirectoryName(socketPath)!, "run"), "--socket-path", socketPath, "--shared-dir", Share, "--xattr",
        "--sandbox=namespace");

    [Fact]
    public void A_lock_in_one_guest_excludes_the_other() => CheckThatALockExcludesTheOtherGuest();
}
