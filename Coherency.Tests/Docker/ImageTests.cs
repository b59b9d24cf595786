using Coherency.Core.Fuse;
using Coherency.Guest;
using Coherency.Tests.Daemon;
using Coherency.Tests.Keeper;
using Coherency.Tests.Published;

namespace Coherency.Tests.Docker;

/// <summary>An image's files are enough for its entry point, and its health check tells whether the daemon lives. Needs root.</summary>
[Trait("Category", "Slow")]
[Trait("Category", "Root")]
[Collection(PublishedTests.Name)]
public sealed class ImageTests(PublishedDaemon published)
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    [Fact]
    public void The_image_starts_serves_and_is_healthy_until_it_stops()
    {
        ImageFile image = new();
        using ImageRoot root = new(published, image);
        File.WriteAllText(root.Inside("/srv/share/file"), "text");
        Assert.NotEqual(0, CheckHealth().ExitCode);
        using (RunningDaemon daemon = new("unshare", root.Enter(image.Start)))
        {
            daemon.WaitUntilReady();
            Assert.Equal(image.User, UserOf(daemon.Id));
            ChildResult health = CheckHealth();
            Assert.True(health.ExitCode == 0, health.Output + health.Errors + daemon.Output);
            Assert.Contains("/srv/share", health.Output, StringComparison.Ordinal);
            using (VirtioFsGuest guest = VirtioFsGuest.Connect(root.Inside("/run/coherencyd/guest.sock")))
            {
                Assert.NotEqual(0UL, guest.Fuse.Lookup(NodeId.Root, "file"u8).nodeid);
            }

            Assert.Equal(0, daemon.Stop());
        }

        Assert.NotEqual(0, CheckHealth().ExitCode);

        ChildResult CheckHealth() => ChildProcess.Run("unshare", root.Enter(image.HealthCheck));
    }

    /// <summary>With KubeVirt's arguments, as KubeVirt's user.</summary>
    [Fact]
    public void The_image_in_place_of_virtiofsd_serves_one_guest_and_ends_with_it()
    {
        const string KubeVirt = "107:107";
        ImageFile image = new("virtiofsd");
        using ImageRoot root = new(published, image);
        Directory.CreateDirectory(root.Inside("/srv/share"));
        File.WriteAllText(root.Inside("/srv/share/file"), "text");
        string[] arguments =
        [
            "--socket-path=/tmp/guest.sock", "--shared-dir=/srv/share", "--sandbox=none", "--cache=auto",
            "--migration-on-error=guest-error", "--migration-mode=find-paths",
        ];
        using CompanionProcess keeper = CompanionProcess.Start("unshare", root.Enter([.. image.Start, .. arguments], KubeVirt));
        keeper.WaitUntil("its ready line", () => keeper.Output.Contains(KeeperProcess.ReadyLine, StringComparison.Ordinal), Patience);
        Assert.Equal(KubeVirt, UserOf(keeper.ProcessId));
        using (VirtioFsGuest guest = VirtioFsGuest.Connect(root.Inside("/tmp/guest.sock")))
        {
            Assert.Equal("text"u8, guest.Files.ReadAllBytes("/file"));
        }

        Assert.Equal(0, keeper.WaitForExit(Patience));
    }

    /// <summary>The ids that a process has, as the image writes them.</summary>
    private static string UserOf(int process)
    {
        string[] status = File.ReadAllLines($"/proc/{process}/status");
        return $"{Id("Uid:")}:{Id("Gid:")}";

        string Id(string name) => status.Single(line => line.StartsWith(name, StringComparison.Ordinal)).Split('\t')[1];
    }
}
