using Coherency.Daemon.Admin.Services;
using Coherency.Daemon.Commands.Remote;
using Coherency.Daemon.Hosting;
using Coherency.Host.Coherence.Holdings;
using Grpc.Core;
using Microsoft.Extensions.Logging;
using V1 = Coherency.Admin.V1;

namespace Coherency.Tests.Admin;

/// <summary>What is told once, and the bounds of what is remembered for it.</summary>
public sealed class StaleFollowerTests
{
    [Fact]
    public void What_was_told_is_not_told_again()
    {
        StaleFollower follower = new(new StaleFilter(), []);
        Assert.True(follower.IsNew(Entry(1, DateTime.UtcNow)));
        Assert.False(follower.IsNew(Entry(1, DateTime.UtcNow)));
    }

    [Fact]
    public async Task A_look_begins_where_the_one_before_it_began()
    {
        StaleFollower follower = new(new StaleFilter(), []);
        DateTime whileLooking = DateTime.UtcNow;
        await follower.WaitForMoreAsync(CancellationToken.None);
        Assert.True(follower.IsNew(Entry(1, whileLooking)));
        Assert.False(follower.IsNew(Entry(2, whileLooking - TimeSpan.FromMinutes(1))));
    }

    [Fact]
    public void What_is_remembered_is_bounded()
    {
        StaleFollower follower = new(new StaleFilter(), []);
        DateTime longAgo = DateTime.UtcNow - TimeSpan.FromHours(1);
        for (ulong node = 0; node < StaleFollower.ToldMax; node++)
        {
            Assert.True(follower.IsNew(Entry(node, DateTime.UtcNow)));
            Assert.True(follower.IsNew(Entry(node + StaleFollower.ToldMax, longAgo)));
        }

        RpcException full = Assert.Throws<RpcException>(() => follower.IsNew(Entry(ulong.MaxValue, DateTime.UtcNow)));
        Assert.Equal(StatusCode.ResourceExhausted, full.StatusCode);
    }

    [Fact]
    public void Levels_of_categories_are_bounded()
    {
        LogLevels levels = new(LogLevel.Information);
        for (int i = 0; i < LogLevels.CategoriesMax; i++)
        {
            Assert.NotNull(levels.Set($"category{i}", LogLevel.Debug));
        }

        Assert.Null(levels.Set("another", LogLevel.Debug));
        Assert.Equal(LogLevel.Debug, levels.Set("category0", LogLevel.Error));
    }

    [Fact]
    public void The_daemon_says_why() => Assert.Equal("daemon: events were lost", Wording.Of(new V1.Actor { Daemon = "events were lost" }));

    private static StaleEntry Entry(ulong node, DateTime since) =>
        new("a", null, node, HeldKind.Attributes, 1, 2, since, null, false);
}
