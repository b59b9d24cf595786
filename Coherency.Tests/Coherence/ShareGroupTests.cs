using Coherency.Core.Versioning;
using Coherency.Core.Versioning.Abi;
using Coherency.Host.Coherence;
using Coherency.Host.Coherence.Changes;
using Xunit;

namespace Coherency.Tests.Coherence;

/// <summary>Who is told of a change, and when a client that joins may rely on it.</summary>
public sealed class ShareGroupTests
{
    private static readonly SlotKey Slot = SlotKey.Inode(7);

    private readonly ShareGroup _group = new();

    [Fact]
    public void A_change_begins_and_ends_in_every_view_but_its_own()
    {
        RecordingView actor = Join();
        RecordingView other = Join();
        using (_group.Begin(actor, [TouchedObject.Inode(7)]))
        {
            Assert.Equal(["begin"], other.Calls);
        }

        Assert.Equal(["begin", "end"], other.Calls);
        Assert.Empty(actor.Calls);
        _group.Changed([Slot]);
        _group.Lost();
        Assert.Equal(["begin", "end", "move", "all"], other.Calls);
        Assert.Equal(["move", "all"], actor.Calls);
    }

    [Fact]
    public void A_view_that_leaves_during_a_change_is_still_told_of_its_end()
    {
        RecordingView other = Join();
        using (_group.Begin(null, [TouchedObject.Inode(7)]))
        {
            _group.Leave(other);
        }

        Assert.Equal(["begin", "end"], other.Calls);
        using (_group.Begin(null, [TouchedObject.Inode(7)]))
        {
        }

        Assert.Equal(2, other.Calls.Count);
    }

    [Fact]
    public async Task Joining_waits_for_changes_that_it_is_not_told_of_and_for_no_others()
    {
        using ManualResetEventSlim hasBegun = new();
        using ManualResetEventSlim mayEnd = new();
        Task change = Task.Run(() =>
        {
            using (_group.Begin(null, [TouchedObject.Inode(7)]))
            {
                hasBegun.Set();
                mayEnd.Wait();
            }
        });
        hasBegun.Wait();
        RecordingView joining = new();
        Task<bool> joined = Task.Run(() => _group.TryJoin(joining));
        Assert.True(SpinWait.SpinUntil(IsTold, TimeSpan.FromSeconds(10)));
        int told = joining.Calls.Count;
        // Changes that begin now know of it: they may come and go as they like.
        for (int i = 0; i < 1000; i++)
        {
            using (_group.Begin(null, [TouchedObject.Inode(8)]))
            {
            }
        }

        await Task.Delay(50);
        Assert.False(joined.IsCompleted);
        mayEnd.Set();
        await joined.WaitAsync(TimeSpan.FromSeconds(10));
        await change;
        Assert.Equal(told + 2000, joining.Calls.Count);
        Assert.True(await joined);

        bool IsTold()
        {
            using (_group.Begin(null, [TouchedObject.Inode(9)]))
            {
            }

            return joining.Calls.Count > 0;
        }
    }

    /// <summary>What a change does between its two calls is seen by whoever has joined: told of it, or after it.</summary>
    [Fact]
    public async Task Joining_under_load_misses_no_change()
    {
        using CancellationTokenSource stop = new();
        long state = 0;
        Task[] changers = [.. Enumerable.Range(0, 3).Select(_ => Task.Run(() =>
        {
            while (!stop.IsCancellationRequested)
            {
                using (_group.Begin(null, [TouchedObject.Inode(7)]))
                {
                    Thread.SpinWait(20);
                    Interlocked.Increment(ref state);
                }
            }
        }))];
        for (int i = 0; i < 100; i++)
        {
            using VersionTableWriter table = VersionTableWriter.CreateAnonymous(new VersionTableDescription("t", 1, 1024, 1000));
            TableView view = new(_group, table);
            Assert.True(view.TryAttach(out _));
            // As a reader does: a sample, an answer, and the answer again, which must be the same while the sample counts.
            ulong sample = table.ReadSlot(Slot);
            long cached = Interlocked.Read(ref state);
            Thread.SpinWait(50);
            long now = Interlocked.Read(ref state);
            bool isCurrent = (sample & VersionTableConstants.WritersMask) == 0 && table.ReadSlot(Slot) == sample;
            Assert.True(!isCurrent || now == cached, $"round {i}: {cached} was believed while it was {now}");
            view.Detach();
            _group.WaitForEarlierChanges();
        }

        await stop.CancelAsync();
        await Task.WhenAll(changers);
    }

    /// <summary>What an administrator makes stale looks at a view as long as a client's change does.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_view_that_has_left_is_not_taken_apart_while_it_is_moved(bool everything)
    {
        using ManualResetEventSlim hasBegun = new();
        using ManualResetEventSlim mayEnd = new();
        RecordingView view = new()
        {
            WhileMoved = () =>
            {
                hasBegun.Set();
                mayEnd.Wait();
            },
        };
        Assert.True(_group.TryJoin(view));
        Task move = Task.Run(() =>
        {
            if (everything)
            {
                _group.InvalidateAll("test");
            }
            else
            {
                _group.Invalidate([Slot], "test");
            }
        });
        hasBegun.Wait();
        _group.Leave(view);
        Task waiting = Task.Run(_group.WaitForEarlierChanges);
        await Task.Delay(100);
        bool isTooEarly = waiting.IsCompleted;
        mayEnd.Set();
        await waiting.WaitAsync(TimeSpan.FromSeconds(10));
        await move;
        Assert.False(isTooEarly);
    }

    /// <summary>By whichever of the names that a group has had: before, a change is told to those of its part.</summary>
    [Fact]
    public void Groups_that_became_one_tell_all_of_every_change()
    {
        ShareGroup[] groups = [_group, new(), new()];
        RecordingView[] views = [.. groups.Select(Join)];
        Change(groups[1]);
        Assert.Equal([[], ["begin", "end"], []], views.Select(view => view.Calls));
        // Also those that are part of another one already.
        Assert.True(groups[1].TryTakeIn(groups[2]));
        Assert.True(groups[0].TryTakeIn(groups[2]));
        Assert.All(groups, group => Assert.Same(groups[0], group.Whole));
        foreach (ShareGroup group in groups)
        {
            int[] before = [.. views.Select(view => view.Calls.Count)];
            Change(group);
            group.Changed([Slot]);
            Assert.All(views.Zip(before), pair => Assert.Equal(["begin", "end", "move"], pair.First.Calls.Skip(pair.Second)));
        }

        RecordingView late = Join(groups[2]);
        groups[1].Leave(views[0]);
        int told = views[0].Calls.Count;
        Change(groups[0]);
        Assert.Equal(["begin", "end"], late.Calls);
        Assert.Equal(told, views[0].Calls.Count);

        static void Change(ShareGroup group)
        {
            using (group.Begin(null, [TouchedObject.Inode(7)]))
            {
            }
        }
    }

    /// <summary>
    /// One that began before is told to those of its part only: until it has ended, nobody may come who reaches files of both.
    /// </summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Becoming_one_waits_for_changes_that_one_part_is_not_told_of(bool ofPart)
    {
        ShareGroup part = new();
        RecordingView[] views = [Join(_group), Join(part)];
        using ManualResetEventSlim hasBegun = new();
        using ManualResetEventSlim mayEnd = new();
        Task change = Task.Run(() =>
        {
            using ((ofPart ? part : _group).Begin(null, [TouchedObject.Inode(7)]))
            {
                hasBegun.Set();
                mayEnd.Wait();
            }
        });
        hasBegun.Wait();
        Task<bool> united = Task.Run(() => _group.TryTakeIn(part));
        Assert.True(SpinWait.SpinUntil(() => part.Whole == _group, TimeSpan.FromSeconds(10)));
        await Task.Delay(50);
        bool isTooEarly = united.IsCompleted;
        // What begins now is told to both. Neither is taken for the other's own before.
        bool isOne = part.IsOneWith(_group);
        using (part.Begin(null, [TouchedObject.Inode(8)]))
        {
        }

        RecordingView joining = new();
        Task join = _group.Join(joining);
        bool hasJoinedEarly = join.IsCompleted;
        mayEnd.Set();
        Assert.True(await united.WaitAsync(TimeSpan.FromSeconds(10)));
        await change;
        await join.WaitAsync(TimeSpan.FromSeconds(10));
        Assert.False(isTooEarly);
        Assert.False(isOne);
        Assert.False(hasJoinedEarly);
        Assert.True(part.IsOneWith(_group));
        string[] both = ["begin", "end"];
        Assert.Equal(ofPart ? [.. both, "all"] : ["begin", .. both, "end", "all"], views[0].Calls);
        Assert.Equal(ofPart ? ["begin", .. both, "end", "all"] : [.. both, "all"], views[1].Calls);
    }

    /// <summary>
    /// As <see cref="Joining_under_load_misses_no_change"/>, by who works in one part and is believed in the other: each round two groups
    /// become one. Without that it is found out.
    /// </summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Becoming_one_under_load_misses_no_change(bool becomesOne)
    {
        bool isStale = false;
        for (int round = 0; round < 100 && !isStale; round++)
        {
            ShareGroup[] groups = [new(), new()];
            using CancellationTokenSource stop = new();
            long state = 0;
            Task[] changers = [.. groups.Select(group => Task.Run(() =>
            {
                while (!stop.IsCancellationRequested)
                {
                    using (NameLockScope one = group.NameLocks.Enter(Slot))
                    using (group.Begin(null, [TouchedObject.Inode(7)]))
                    {
                        Thread.SpinWait(20);
                        Interlocked.Increment(ref state);
                    }
                }
            }))];
            Assert.True(!becomesOne || groups[0].TryTakeIn(groups[1]));
            using VersionTableWriter table = VersionTableWriter.CreateAnonymous(new VersionTableDescription("t", 1, 1024, 1000));
            TableView view = new(groups[round % 2], table);
            Assert.True(view.TryAttach(out _));
            for (int look = 0; look < 100; look++)
            {
                ulong sample = table.ReadSlot(Slot);
                long cached = Interlocked.Read(ref state);
                Thread.SpinWait(50);
                long now = Interlocked.Read(ref state);
                bool isCurrent = (sample & VersionTableConstants.WritersMask) == 0 && table.ReadSlot(Slot) == sample;
                isStale |= isCurrent && now != cached;
            }

            view.Detach();
            groups[0].WaitForEarlierChanges();
            groups[1].WaitForEarlierChanges();
            await stop.CancelAsync();
            await Task.WhenAll(changers);
        }

        Assert.Equal(!becomesOne, isStale);
    }

    /// <summary>Two clients of a part change one name, while its locks become those of another group: never both at once.</summary>
    [Fact]
    public async Task Locks_of_names_exclude_while_groups_become_one()
    {
        using CancellationTokenSource stop = new();
        ShareGroup part = new();
        int holders = 0, together = 0;
        long turns = 0;
        Task[] users = [.. Enumerable.Range(0, 3).Select(_ => Task.Run(() =>
        {
            while (!stop.IsCancellationRequested)
            {
                using (NameLockScope both = part.NameLocks.Enter(Slot, SlotKey.Inode(8)))
                {
                    together += Interlocked.Increment(ref holders) == 1 ? 0 : 1;
                    Thread.SpinWait(20);
                    Interlocked.Decrement(ref holders);
                    turns++;
                }
            }
        }))];
        ShareGroup whole = part;
        for (int i = 0; i < 1000; i++)
        {
            ShareGroup next = new();
            Assert.True(next.TryTakeIn(whole));
            whole = next;
        }

        await stop.CancelAsync();
        await Task.WhenAll(users);
        Assert.Equal(0, together);
        Assert.True(turns > 1000, $"{turns}");
    }

    private RecordingView Join() => Join(_group);

    private static RecordingView Join(ShareGroup group)
    {
        RecordingView view = new();
        Assert.True(group.TryJoin(view));
        return view;
    }

    private sealed class RecordingView : ShareView
    {
        private readonly List<string> _calls = [];

        public Action? WhileMoved { get; init; }

        public IReadOnlyList<string> Calls
        {
            get
            {
                lock (_calls)
                {
                    return [.. _calls];
                }
            }
        }

        public override void Begin(ReadOnlySpan<SlotKey> slots) => Record("begin");

        public override void End(ReadOnlySpan<SlotKey> slots, ReadOnlySpan<TouchedObject> touched) => Record("end");

        public override void Move(ReadOnlySpan<SlotKey> slots)
        {
            Record("move");
            WhileMoved?.Invoke();
        }

        public override void MoveAll()
        {
            Record("all");
            WhileMoved?.Invoke();
        }

        private void Record(string call)
        {
            lock (_calls)
            {
                _calls.Add(call);
            }
        }
    }
}
