using Coherency.Tests.Guest;

namespace Coherency.Tests.Keeper;

/// <summary>What a guest does with a share goes the same way when a keeper relays its VMM's messages to a server of its own.</summary>
public sealed class KeeperScenarioTests : GuestScenarios
{
    protected override IDisposable StartDaemon(string socketPath) => KeeperProcess.Start(
        Path.Combine(Path.GetDirectoryName(socketPath)!, "run"), "--socket-path", socketPath, "--shared-dir", Share, "--xattr");

    [Fact]
    public void A_lock_in_one_guest_excludes_the_other() => CheckThatALockExcludesTheOtherGuest();
}
