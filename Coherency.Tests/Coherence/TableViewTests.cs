using Coherency.Core.Versioning;
using Coherency.Host.Coherence;
using Xunit;

namespace Coherency.Tests.Coherence;

/// <summary>A view that says it is attached is told of every change.</summary>
public sealed class TableViewTests
{
    private static readonly SlotKey Slot = SlotKey.Inode(7);

    [Fact]
    public async Task An_attach_that_is_overtaken_by_a_detach_leaves_the_next_one_alone()
    {
        ShareGroup group = new();
        using TableView view = new(group, VersionTableWriter.CreateAnonymous(new VersionTableDescription("t", 1, 1024, 1000)));
        using ManualResetEventSlim hasBegun = new();
        using ManualResetEventSlim mayEnd = new();
        Task change = Task.Run(() =>
        {
            using (group.Begin(null, [TouchedObject.Inode(8)]))
            {
                hasBegun.Set();
                mayEnd.Wait();
            }
        });
        hasBegun.Wait();
        Task<bool> first = Task.Run(() => view.TryAttach(out _));
        await Task.Delay(50);
        Assert.False(view.Detach());
        Task<bool> second = Task.Run(() => view.TryAttach(out _));
        await Task.Delay(50);
        mayEnd.Set();
        await change;

        Assert.False(await first.WaitAsync(TimeSpan.FromSeconds(10)));
        Assert.True(await second.WaitAsync(TimeSpan.FromSeconds(10)));
        ulong before = view.Table.ReadSlot(Slot);
        using (group.Begin(null, [TouchedObject.Inode(Slot.Value)]))
        {
        }

        Assert.NotEqual(before, view.Table.ReadSlot(Slot));
    }
}
