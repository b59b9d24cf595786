using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Core.Versioning;
using Coherency.Host.Coherence;
using Coherency.Host.Coherence.Changes;
using Coherency.Host.Coherence.Holdings;

namespace Coherency.Tests.Coherence.Holdings;

/// <summary>
/// Threads change a few inodes at once, and write down themselves when: what is said to be stale must be, what must be stale
/// must be said, and the cause must be the first change that it can have been.
/// </summary>
[Collection(TimedTests.Name)]
public sealed class ConcurrentCauseTests(Xunit.Abstractions.ITestOutputHelper output)
{
    private const int Actors = 3;
    private const int Rounds = 300;
    private const int Keys = 32;

    private readonly record struct Done(ulong Key, int Actor, long Begin, long End);

    private readonly record struct Given(ulong Key, long Start, long End, long Asked, StaleEntry? Stale);

    [Fact]
    public async Task Causes_are_right_while_many_change_at_once()
    {
        using HeldFixture fixture = new(slots: 1 << 18);
        using CancellationTokenSource stop = new();
        TableView[] actors = [.. Enumerable.Range(0, Actors).Select(i => new TableView(
            fixture.Group, VersionTableWriter.CreateAnonymous(new VersionTableDescription("t", 1, 1024, 1000))) { Name = $"{i}" })];
        Task<List<Done>>[] changing = [.. Enumerable.Range(0, Actors).Select(i => Task.Factory.StartNew(
            () => Change(fixture, actors[i], i, stop.Token), CancellationToken.None, TaskCreationOptions.LongRunning,
            TaskScheduler.Default))];
        List<Given> given = [];
        for (int round = 0; round < Rounds; round++)
        {
            given.AddRange(GiveAndAsk(fixture));
        }

        await stop.CancelAsync();
        Done[] changes = [.. (await Task.WhenAll(changing)).SelectMany(list => list).OrderBy(change => change.Begin)];
        Check(given, changes);
        Array.ForEach(actors, actor => actor.Dispose());
    }

    private static List<Done> Change(HeldFixture fixture, TableView view, int actor, CancellationToken stop)
    {
        Random random = new(actor);
        List<Done> done = [];
        while (!stop.IsCancellationRequested)
        {
            ulong key = KeyAt(random.Next(Keys));
            long begin = Now();
            using (fixture.Group.Begin(view, [TouchedObject.Inode(key)], new ChangeOrigin(ChangeOperation.Write)))
            {
                Thread.SpinWait(random.Next(200));
            }

            done.Add(new Done(key, actor, begin, Now()));
            Thread.SpinWait(random.Next(4000));
        }

        return done;
    }

    /// <summary>The guest is given every inode's attributes, and some time later somebody asks what is stale.</summary>
    private static IEnumerable<Given> GiveAndAsk(HeldFixture fixture)
    {
        (long Start, long End)[] times = new (long, long)[Keys];
        for (int i = 0; i < Keys; i++)
        {
            long before = Now();
            HeldStart start = fixture.Held.Start();
            Thread.SpinWait(50);
            NodeId node = new(KeyAt(i));
            fixture.Held.GiveUnnamed(fixture, start, node, StatFlags.S_IFREG, TimeSpan.MaxValue);
            times[i] = (before, Now());
        }

        Thread.SpinWait(20_000);
        long asked = Now();
        Assert.True(fixture.Query.TryListStale(new StaleFilter(), 10_000, null, out StalePage page));
        Dictionary<ulong, StaleEntry> stale = page.Entries.ToDictionary(entry => entry.NodeId);
        return Enumerable.Range(0, Keys).Select(
            i => new Given(KeyAt(i), times[i].Start, times[i].End, asked, stale.GetValueOrDefault(KeyAt(i))));
    }

    private void Check(List<Given> given, Done[] changes)
    {
        Dictionary<ulong, Done[]> byKey = changes.GroupBy(change => change.Key).ToDictionary(group => group.Key, group => group.ToArray());
        int stale = 0;
        int unknown = 0;
        foreach (Given one in given)
        {
            Done[] candidates = byKey[one.Key];
            if (one.Stale is null)
            {
                Assert.DoesNotContain(candidates, change => change.Begin > one.End && change.End < one.Asked);
                continue;
            }

            stale++;
            Assert.Contains(candidates, change => change.End >= one.Start);
            if (one.Stale.Cause is not { } cause)
            {
                unknown++;
                continue;
            }

            Assert.False(one.Stale.IsFalseSharing);
            Done named = Assert.Single(
                candidates,
                change => $"{change.Actor}" == cause.Actor.Name && change.Begin <= cause.At.Ticks && cause.At.Ticks <= change.End);
            Assert.True(named.End >= one.Start, "a change that had ended before");
            Assert.DoesNotContain(candidates, change => change.Begin > one.Start && change.End < named.Begin);
        }

        output.WriteLine(
            $"{changes.Length} changes; of {given.Count} entries {stale} were stale, of {unknown} of them the cause was not known");
        Assert.True(stale > given.Count / 10, "too little happened");
        Assert.True(unknown < stale / 20, $"{unknown} causes of {stale} were not known");
    }

    /// <summary>Some share a chain of the log, but no slot.</summary>
    private static ulong KeyAt(int i) => ((ulong)(i % 4) << 16) + (ulong)(i / 4) + (3UL << 30);

    private static long Now() => DateTime.UtcNow.Ticks;
}
