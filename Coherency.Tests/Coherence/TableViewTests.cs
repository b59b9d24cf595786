using Coherency.Core.Versioning;
using Coherency.Core.Versioning.Abi;
using Coherency.Host.Coherence;
using Coherency.Host.Coherence.Changes;
using Xunit;

namespace Coherency.Tests.Coherence;

/// <summary>A view that says it is attached is told of every change.</summary>
public sealed class TableViewTests
{
    private static readonly SlotKey Slot = SlotKey.Inode(7);
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    [Fact]
    public async Task An_attach_that_is_overtaken_by_a_detach_leaves_the_next_one_alone()
    {
        ShareGroup group = new();
        using TableView view = new(group, VersionTableWriter.CreateAnonymous(new VersionTableDescription("t", 1, 1024, 1000)));
        using LongChange change = new(group);
        Task<bool> first = Task.Run(() => view.TryAttach(out _));
        Assert.True(SpinWait.SpinUntil(IsTold, Patience), "the view does not join");
        Assert.False(view.Detach());
        Task<bool> second = Task.Run(() => TryAttachAgain(view));
        change.Dispose();

        Assert.False(await first.WaitAsync(Patience));
        Assert.True(await second.WaitAsync(Patience));
        ulong before = view.Table.ReadSlot(Slot);
        using (group.Begin(null, [TouchedObject.Inode(Slot.Value)]))
        {
        }

        Assert.NotEqual(before, view.Table.ReadSlot(Slot));

        // A view that has joined is told of changes that begin from then on, while it waits for earlier ones.
        bool IsTold()
        {
            ulong before = view.Table.ReadSlot(Slot);
            using (group.Begin(null, [TouchedObject.Inode(Slot.Value)]))
            {
            }

            return view.Table.ReadSlot(Slot) != before;
        }
    }

    [Fact]
    public void Long_changes_that_overlap_do_not_keep_a_guest_out()
    {
        ShareGroup group = new();
        using TableView view = new(group, VersionTableWriter.CreateAnonymous(new VersionTableDescription("t", 1, 1024, 1000)));
        using LongChange first = new(group);
        Assert.False(view.TryAttach(out _));
        using LongChange second = new(group);
        first.Dispose();
        Assert.True(TryAttachAgain(view));
        // It was told of the second, which began after it had joined.
        Assert.NotEqual(0UL, view.Table.ReadSlot(SlotKey.Inode(LongChange.Inode)) & VersionTableConstants.WritersMask);
    }

    private static bool TryAttachAgain(TableView view) => SpinWait.SpinUntil(() => view.TryAttach(out _), Patience);

    /// <summary>A change that is under way until it is disposed.</summary>
    private sealed class LongChange : IDisposable
    {
        public const ulong Inode = 8;

        private readonly ManualResetEventSlim _mayEnd = new();
        private readonly Thread _thread;

        public LongChange(ShareGroup group)
        {
            using ManualResetEventSlim hasBegun = new();
            _thread = new Thread(() =>
            {
                using (group.Begin(null, [TouchedObject.Inode(Inode)]))
                {
                    hasBegun.Set();
                    _mayEnd.Wait();
                }
            });
            _thread.Start();
            hasBegun.Wait();
        }

        public void Dispose()
        {
            _mayEnd.Set();
            _thread.Join();
        }
    }
}
