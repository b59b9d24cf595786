using System.Text;
using Coherency.Core.Fuse;
using Coherency.Host.Coherence;
using Coherency.Host.Coherence.Changes;
using Coherency.Host.Coherence.Holdings;

namespace Coherency.Tests.Coherence.Holdings;

/// <summary>Pages of stale entries, while things come and go.</summary>
public sealed class PagingTests
{
    private const int Stable = 5_000;

    [Fact]
    public async Task What_stays_is_on_exactly_one_page()
    {
        using HeldFixture fixture = new();
        for (ulong i = 0; i < Stable; i++)
        {
            fixture.Give(1, Encoding.UTF8.GetBytes($"stable{i}"), StableNode(i));
            fixture.Change(null, TouchedObject.Inode(StableNode(i)));
        }

        using CancellationTokenSource stop = new();
        Task churn = Task.Run(() => Churn(fixture, stop.Token));
        for (int round = 0; round < 5; round++)
        {
            List<StaleEntry> all = ListAll(fixture.Query, most: 97);
            List<string?> stable = [.. all.Where(entry => entry.Kind == HeldKind.Attributes
                && entry.Path?.StartsWith("stable", StringComparison.Ordinal) == true).Select(entry => entry.Path)];
            Assert.Equal(Stable, stable.Count);
            Assert.Equal(Stable, stable.Distinct().Count());
        }

        await stop.CancelAsync();
        await churn;
    }

    [Fact]
    public void Filters_choose()
    {
        using HeldFixture fixture = new();
        fixture.Give(1, "d"u8, 10, Core.Linux.StatFlags.S_IFDIR);
        fixture.Give(10, "f"u8, 11);
        fixture.Give(1, "dd"u8, 12);
        fixture.Change(null, TouchedObject.Inode(10), TouchedObject.Inode(11), TouchedObject.Inode(12));
        Assert.Equal(["d", "d/f", "dd"], Paths(new StaleFilter()));
        Assert.Equal(["d", "d/f"], Paths(new StaleFilter { PathPrefix = "d" }));
        Assert.Equal(["d/f"], Paths(new StaleFilter { PathPrefix = "d/f" }));
        Assert.Empty(Paths(new StaleFilter { Kinds = HeldKinds.Name }));
        Assert.Empty(Paths(new StaleFilter { Guests = ["other"] }));
        Assert.Empty(Paths(new StaleFilter { MinimumAge = TimeSpan.FromHours(1) }));
        Assert.Equal(3, Paths(new StaleFilter { Guests = ["own"] }).Length);

        string[] Paths(StaleFilter filter)
        {
            Assert.True(fixture.Query.TryListStale(filter, 100, null, out StalePage page));
            Assert.Null(page.NextToken);
            return [.. page.Entries.Select(entry => entry.Path!)];
        }
    }

    [Theory]
    [InlineData("x")]
    [InlineData("%%%")]
    [InlineData("MSA5IDEgYQ")]
    [InlineData("MSAwIC0xIGE")]
    public void A_token_that_is_none_is_refused(string token)
    {
        using HeldFixture fixture = new();
        Assert.False(fixture.Query.TryListStale(new StaleFilter(), 1, token, out _));
    }

    [Fact]
    public void A_token_of_a_guest_that_has_gone_goes_on_with_the_next()
    {
        using HeldFixture fixture = new();
        fixture.Give(1, "f"u8, 10);
        fixture.Change(null, TouchedObject.Inode(10));
        Assert.True(
            fixture.Query.TryListStale(
                new StaleFilter(), 10, new PageToken("a", new HeldPosition(HeldPhase.Contents, 7)).ToString(), out StalePage page));
        Assert.Single(page.Entries);
        Assert.True(fixture.Query.TryListStale(new StaleFilter(), 10, new PageToken("p", default).ToString(), out page));
        Assert.Empty(page.Entries);
    }

    private static ulong StableNode(ulong i) => (1UL << 50) + (i * 3) + 2;

    private static List<StaleEntry> ListAll(HoldingsQuery query, int most)
    {
        List<StaleEntry> all = [];
        string? token = null;
        do
        {
            Assert.True(query.TryListStale(new StaleFilter(), most, token, out StalePage page));
            all.AddRange(page.Entries);
            token = page.NextToken;
        }
        while (token is not null);
        return all;
    }

    private static void Churn(HeldFixture fixture, CancellationToken stop)
    {
        Random random = new(1);
        while (!stop.IsCancellationRequested)
        {
            ulong node = (1UL << 60) + (ulong)random.Next(3_000);
            fixture.Give(1, Encoding.UTF8.GetBytes($"churn{random.Next(5_000)}"), node);
            if (random.Next(4) == 0)
            {
                fixture.Change(null, TouchedObject.Inode(node));
            }

            fixture.Held.Forget(fixture, new NodeId((1UL << 60) + (ulong)random.Next(3_000)), 10);
        }
    }
}
