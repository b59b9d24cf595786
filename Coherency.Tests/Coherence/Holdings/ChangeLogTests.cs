using Coherency.Core.Versioning;
using Coherency.Host.Coherence;
using Coherency.Host.Coherence.Changes;

namespace Coherency.Tests.Coherence.Holdings;

/// <summary>The ring of changes, and who reads it how.</summary>
public sealed class ChangeLogTests
{
    private readonly ChangeLog _log = new(capacity: 16);
    private readonly ShareGroup _group;

    public ChangeLogTests() => _group = new ShareGroup(_log);

    [Fact]
    public void A_reader_learns_exactly_how_many_it_missed()
    {
        ChangeRecord[] changes = new ChangeRecord[8];
        long position = _log.Next;
        Assert.Equal(0, _log.Read(ref position, changes, out long missed));
        Assert.Equal(0, missed);
        Change(20);
        Assert.Equal(8, _log.Read(ref position, changes, out missed));
        Assert.Equal((4, 5), (missed, changes[0].Sequence));
        Assert.Equal(8, _log.Read(ref position, changes, out missed));
        Assert.Equal((0, 13), (missed, changes[0].Sequence));
        Assert.Equal(0, _log.Read(ref position, changes, out missed));
        Assert.Equal((0, 21), (missed, position));
    }

    [Fact]
    public async Task A_reader_beside_writers_gets_everything_once_or_knows_what_not()
    {
        ChangeLog log = new(capacity: 1024);
        ShareGroup group = new(log);
        long position = log.Next;
        Task[] writers = [.. Enumerable.Range(0, 3).Select(i => Task.Run(() =>
        {
            for (ulong change = 1; change <= 20_000; change++)
            {
                using (group.Begin(null, [TouchedObject.Inode(((ulong)i << 32) + change)], new ChangeOrigin(ChangeOperation.Write)))
                {
                }
            }
        }))];
        ulong[] last = new ulong[3];
        long total = 0;
        ChangeRecord[] changes = new ChangeRecord[64];
        while (total < 60_000)
        {
            int count = log.Read(ref position, changes, out long missed);
            total += count + missed;
            foreach (ChangeRecord change in changes.Take(count))
            {
                ulong key = change.Keys[0].Value;
                // Each writer's changes come in its order.
                Assert.True((uint)key > last[key >> 32]);
                last[key >> 32] = (uint)key;
            }
        }

        await Task.WhenAll(writers);
        Assert.Equal((60_000, 60_001), (total, position));
    }

    [Fact]
    public void The_last_changes_of_a_key_are_found_among_others_of_its_chain()
    {
        SlotKey key = new(5);
        SlotKey chained = new(5 + (1 << 16));
        _group.Invalidate([key], "1");
        _group.Invalidate([chained], "2");
        _group.Invalidate([chained, key, new SlotKey(9)], "3");
        ChangeRecord[] changes = new ChangeRecord[4];
        Assert.Equal(2, _log.ReadLast(key, changes));
        Assert.Equal(["3", "1"], changes.Take(2).Select(change => change.Actor.Name));
        Assert.Equal(2, _log.ReadLast(chained, changes));
        Assert.Equal(0, _log.ReadLast(new SlotKey(5 + (2 << 16)), changes));
        Change(14);
        Assert.Equal(1, _log.ReadLast(key, changes));
    }

    [Fact]
    public void What_was_overwritten_is_not_searched_in_vain()
    {
        using TableView view = new(_group, VersionTableWriter.CreateAnonymous(new VersionTableDescription("t", 1, 1024, 1000)));
        SlotKey key = new(5);
        _group.Invalidate([key], "first");
        _group.Invalidate([key], "second");
        Assert.Equal("first 2 True", History(1));
        Assert.Equal("second 1 True", History(2));
        Change(15);
        // The first is forgotten, the second is there still: enough for who asks from the second on, and for nobody else.
        Assert.Equal("second 1 True", History(2));
        Assert.Equal("second 1 False", History(1));
        Change(1);
        Assert.Equal(" 0 False", History(2));
        Assert.Equal(" 0 True", History(3));

        string History(long from)
        {
            SlotHistory history = _log.ReadHistory(key, ulong.MaxValue, view, from);
            return $"{history.First?.Actor.Name} {history.Moves} {history.IsComplete}";
        }
    }

    [Fact]
    public void Writing_down_allocates_nothing()
    {
        using TableView view = new(_group, VersionTableWriter.CreateAnonymous(new VersionTableDescription("t", 1, 1024, 1000)))
        {
            Name = "a",
        };
        Assert.True(view.TryFollow());
        Change(10_000);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Change(10_000);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    [Fact]
    public void A_capacity_must_be_a_power_of_two() => Assert.Throws<ArgumentOutOfRangeException>(() => new ChangeLog(100));

    private void Change(int count)
    {
        for (int i = 0; i < count; i++)
        {
            using (_group.Begin(null, [TouchedObject.Inode(1000 + (ulong)i)], new ChangeOrigin(ChangeOperation.Write)))
            {
            }
        }
    }
}
