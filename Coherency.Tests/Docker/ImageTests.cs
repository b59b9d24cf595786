using Coherency.Core.Fuse;
using Coherency.Guest;
using Coherency.Tests.Daemon;
using Coherency.Tests.Published;

namespace Coherency.Tests.Docker;

/// <summary>The image's files are enough for its entry point, and its health check tells whether the daemon lives. Needs root.</summary>
[Trait("Category", "Slow")]
[Trait("Category", "Root")]
[Collection(PublishedTests.Name)]
public sealed class ImageTests(PublishedDaemon published) : IDisposable
{
    private readonly ImageFile _image = new();
    private readonly ImageRoot _root = new(published);

    public void Dispose() => _root.Dispose();

    [Fact]
    public void The_image_starts_serves_and_is_healthy_until_it_stops()
    {
        File.WriteAllText(_root.Inside("/srv/share/file"), "text");
        Assert.NotEqual(0, CheckHealth().ExitCode);
        using (RunningDaemon daemon = new("unshare", _root.Enter(_image.Start)))
        {
            daemon.WaitUntilReady();
            Assert.Equal(_image.User, UserOf(daemon.Id));
            ChildResult health = CheckHealth();
            Assert.True(health.ExitCode == 0, health.Output + health.Errors + daemon.Output);
            Assert.Contains("/srv/share", health.Output, StringComparison.Ordinal);
            using (VirtioFsGuest guest = VirtioFsGuest.Connect(_root.Inside("/run/coherencyd/guest.sock")))
            {
                Assert.NotEqual(0UL, guest.Fuse.Lookup(NodeId.Root, "file"u8).nodeid);
            }

            Assert.Equal(0, daemon.Stop());
        }

        Assert.NotEqual(0, CheckHealth().ExitCode);
    }

    private ChildResult CheckHealth() => ChildProcess.Run("unshare", _root.Enter(_image.HealthCheck));

    /// <summary>The ids that a process has, as the image writes them.</summary>
    private static string UserOf(int process)
    {
        string[] status = File.ReadAllLines($"/proc/{process}/status");
        return $"{Id("Uid:")}:{Id("Gid:")}";

        string Id(string name) => status.Single(line => line.StartsWith(name, StringComparison.Ordinal)).Split('\t')[1];
    }
}
