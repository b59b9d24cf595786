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

    private RecordingView Join()
    {
        RecordingView view = new();
        Assert.True(_group.TryJoin(view));
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
