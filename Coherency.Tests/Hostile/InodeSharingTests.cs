using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Host.Passthrough;
using Coherency.Tests.Passthrough;

namespace Coherency.Tests.Hostile;

/// <summary>Inodes that a guest does not forget take memory of the daemon: it gets so many and no more, and others get theirs.</summary>
public sealed class InodeSharingTests
{
    private const int Limit = 1000;

    [Fact]
    public void A_guest_that_looks_up_all_it_can_leaves_some_to_the_others()
    {
        InodeBudget budget = new(Limit);
        List<string> log = [];
        budget.Exhausted += log.Add;
        using TestShare share = new(options => options with { InodeBudget = budget });
        for (int i = 0; i < Limit; i++)
        {
            share.WriteFile($"{i}");
        }

        TestGuest greedy = share.OpenGuest();
        TestGuest honest = share.OpenGuest();
        int held = Enumerable.Range(0, Limit).Count(i => greedy.TryLookup(NodeId.Root, $"{i}", out _) == Errno.None);
        Assert.Equal(Limit * 3 / 4, held);
        Assert.Equal(held, budget.Used);
        Assert.Equal(Errno.ENOMEM, greedy.TryLookup(NodeId.Root, $"{Limit - 1}", out _));
        Assert.Equal(Errno.ENOMEM, greedy.TryCreate(NodeId.Root, "new", OpenFlags.O_RDWR, out _, out _));
        Assert.Contains("holds", Assert.Single(log), StringComparison.Ordinal);
        // What it holds, it can still ask for.
        NodeId known = greedy.Lookup("0").Node;

        // What another holds counts for each.
        Assert.All(Enumerable.Range(0, 100), i => honest.Lookup($"{i}"));
        Assert.Equal(held + 100, budget.Used);

        // It has two references to the first.
        greedy.Files.Forget(known, 2);
        Assert.Equal(held + 99, budget.Used);
        greedy.Dispose();
        Assert.Equal(100, budget.Used);
        honest.Dispose();
        Assert.Equal(0, budget.Used);
    }

    [Fact]
    public void A_reference_that_is_given_and_forgotten_by_many_threads_is_counted_once()
    {
        InodeBudget budget = new(Limit);
        using TestShare share = new(options => options with { InodeBudget = budget });
        share.WriteFile("file");
        TestGuest guest = share.OpenGuest();
        Parallel.For(0, 4, _ =>
        {
            for (int i = 0; i < 5000; i++)
            {
                guest.Files.Forget(guest.Lookup("file").Node, 1);
            }
        });
        Assert.Equal(0, budget.Used);
    }
}
