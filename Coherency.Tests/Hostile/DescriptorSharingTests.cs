using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Host.Passthrough;
using Coherency.Host.Server;
using Coherency.Tests.Passthrough;
using Xunit;

namespace Coherency.Tests.Hostile;

/// <summary>A guest that keeps all descriptors that it can get harms no other guest: each pays for what it keeps.</summary>
public sealed class DescriptorSharingTests
{
    private const int Limit = 2048;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void An_open_file_without_a_name_stays_readable_beside_a_guest_that_keeps_all_it_can(bool hasShareOfItsOwn)
    {
        DescriptorBudget budget = new(Limit);
        using TestShare share = Share(budget);
        using TestShare? other = hasShareOfItsOwn ? Share(budget) : null;
        TestGuest hostile = share.OpenGuestWithoutOpens();
        TestGuest honest = (other ?? share).OpenGuestWithoutOpens();
        Assert.Contains(Errno.ENFILE, KeepUnlinked(hostile));

        FileTarget file = MakeUnlinked(honest);
        UseOtherFiles(other ?? share, honest);
        Assert.Equal("data", honest.Read(file));
        TestGuest.Expect(honest.TryWrite(file, "more", 4));
        Assert.Equal("datamore", honest.Read(file));
    }

    [Fact]
    public void What_a_guest_may_have_open_and_cannot_keep_is_not_removed_by_another()
    {
        using TestShare share = Share(new DescriptorBudget(Limit));
        TestGuest full = share.OpenGuestWithoutOpens();
        TestGuest other = share.OpenGuestWithoutOpens();
        share.WriteFile("file");
        share.WriteFile("new");
        Directory.CreateDirectory(share.Path("directory"));
        FileTarget file = new(full.Lookup("file").Node, default);
        full.Lookup("directory");
        KeepUnlinked(full);

        Assert.Equal(Errno.ENFILE, other.TryUnlink(NodeId.Root, "file"));
        Assert.Equal(Errno.ENFILE, other.TryRename(NodeId.Root, "new", NodeId.Root, "file"));
        Assert.Equal(Errno.ENFILE, other.TryRemoveDirectory(NodeId.Root, "directory"));
        UseOtherFiles(share, other);
        Assert.Equal("text", full.Read(file));
        // What it does not hold, it cannot keep from anybody.
        TestGuest.Expect(other.TryUnlink(NodeId.Root, "new"));
        full.Files.Forget(file.Node, 1);
        TestGuest.Expect(other.TryUnlink(NodeId.Root, "file"));
    }

    [Fact]
    public void What_a_guest_never_says_it_has_open_can_be_removed_a_while_later()
    {
        using TestShare share = Share(new DescriptorBudget(Limit), TimeSpan.Zero);
        TestGuest full = share.OpenGuestWithoutOpens();
        TestGuest other = share.OpenGuestWithoutOpens();
        share.WriteFile("file");
        full.Lookup("file");
        FileTarget open = MakeUnlinked(full);
        full.Files.KeepOpened(open.Node);
        KeepUnlinked(full, says: false);

        Assert.True(SpinWait.SpinUntil(() => other.TryUnlink(NodeId.Root, "file") == Errno.None, Patience));
        UseOtherFiles(share, other);
        Assert.Equal("data", full.Read(open));
    }

    [Fact]
    public void Until_a_guest_has_to_have_said_what_it_has_open_removals_wait()
    {
        using TestShare share = Share(new DescriptorBudget(Limit), TimeSpan.FromSeconds(2));
        TestGuest full = share.OpenGuestWithoutOpens();
        TestGuest other = share.OpenGuestWithoutOpens();
        share.WriteFile("file");
        full.Lookup("file");
        Assert.Contains(Errno.ERESTART, KeepUnlinked(full, says: false));

        List<Errno> results = [];
        Assert.True(SpinWait.SpinUntil(() => Removes(), Patience));
        Assert.All(results[..^1], waits => Assert.Equal(Errno.ERESTART, waits));

        bool Removes()
        {
            results.Add(other.TryUnlink(NodeId.Root, "file"));
            return results[^1] == Errno.None;
        }
    }

    [Fact]
    public void A_guest_whose_inodes_cost_descriptors_leaves_some_to_the_others()
    {
        using TestShare share = new(
            options => options with
            {
                Budget = new DescriptorBudget(Limit),
                InodeFileHandles = InodeFileHandles.Never,
                CachedDescriptorsMax = 1,
            });
        for (int i = 0; i < Limit; i++)
        {
            share.WriteFile($"{i}");
        }

        TestGuest hostile = share.OpenGuest();
        TestGuest honest = share.OpenGuest();
        Assert.Contains(Errno.ENFILE, Enumerable.Range(0, Limit).Select(i => hostile.TryLookup(NodeId.Root, $"{i}", out _)));
        share.WriteFile("own");
        NodeId own = honest.Lookup("own").Node;
        honest.Open(own, OpenFlags.O_RDWR);
        // What another holds already is paid for by each who holds it.
        int kept = Kept(honest);
        honest.Lookup("0");
        honest.Lookup("0");
        Assert.Equal(kept + 1, Kept(honest));
        honest.Files.Forget(honest.Lookup("0").Node, 3);
        Assert.Equal(kept, Kept(honest));
    }

    [Fact]
    public void Locks_and_open_files_count_as_well_and_all_is_given_back()
    {
        DescriptorBudget budget = new(Limit);
        using TestShare share = new(options => options with { Budget = budget, CachedDescriptorsMax = 1, OpenFilesPerSessionMax = Limit });
        share.WriteFile("file");
        int before = budget.Used - budget.Cached;
        TestGuest guest = new(share.Share.OpenSession());
        NodeId node = guest.Lookup("file").Node;
        FileHandle first = guest.Open(node, OpenFlags.O_RDWR);
        for (ulong i = 0; i < 10; i++)
        {
            TestGuest.Expect(TryLock(i));
        }

        Assert.Contains(Errno.ENFILE, Enumerable.Range(0, Limit).Select(_ => guest.TryOpen(node, OpenFlags.O_RDWR, out FileHandle _)));
        Assert.Equal(Errno.ENOLCK, TryLock(10));
        Assert.Equal(budget.Used - budget.Cached - before, Kept(guest));
        Assert.InRange(Kept(guest), Limit / 2, Limit * 3 / 4);
        guest.Dispose();
        Assert.Equal(before, budget.Used - budget.Cached);

        Errno TryLock(ulong owner) => guest.Files.SetLock(first, owner, new FileLock { Type = LockFlags.F_RDLCK, End = 1 });
    }

    /// <summary>As each virtual machine has that had a virtiofsd of its own.</summary>
    [Fact]
    public void A_hundred_shares_have_what_they_need()
    {
        const int Shares = 100;
        DescriptorBudget budget = new(Limit);
        TestShare[] shares = [.. Enumerable.Range(0, Shares).Select(_ => new TestShare(options => options with { Budget = budget }))];
        foreach (TestShare share in shares)
        {
            for (int i = 0; i < 10; i++)
            {
                share.WriteFile($"{i}");
            }

            TestGuest guest = share.OpenGuestWithoutOpens();
            UseOtherFiles(share, guest);
            Assert.Equal("text", guest.Read(new FileTarget(guest.Lookup("0").Node, default)));
            Assert.InRange(budget.Cached, 0, Limit / 4);
        }

        Array.ForEach(shares, share => share.Dispose());
        Assert.Equal((0, 0), (budget.Used, budget.Cached));
    }

    [Fact]
    public void A_guest_that_reaches_its_limit_gets_one_line_in_the_log()
    {
        DescriptorBudget budget = new(Limit);
        List<string> log = [];
        budget.Exhausted += log.Add;
        using TestShare share = Share(budget);
        KeepUnlinked(share.OpenGuestWithoutOpens());
        Assert.Contains("keeps", Assert.Single(log), StringComparison.Ordinal);
    }

    private static TestShare Share(DescriptorBudget budget, TimeSpan? sayingPeriod = null) => new(options => options with
    {
        Budget = budget.CreatePart(),
        CachedDescriptorsMax = 8,
        ReadableDescriptorsMax = 8,
        SayingPeriod = sayingPeriod ?? options.SayingPeriod,
    });

    /// <summary>Makes and removes more files than there are descriptors, and keeps them all.</summary>
    private static List<Errno> KeepUnlinked(TestGuest guest, bool says = true)
    {
        List<Errno> results = [];
        for (int i = 0; i < Limit; i++)
        {
            results.Add(guest.TryCreate(NodeId.Root, $"kept{i}", OpenFlags.O_RDWR, out Entry entry, out _));
            if (says && results[^1] == Errno.None)
            {
                guest.Files.KeepOpened(entry.Node);
            }

            results.Add(guest.TryUnlink(NodeId.Root, $"kept{i}"));
        }

        return results;
    }

    private static FileTarget MakeUnlinked(TestGuest guest)
    {
        TestGuest.Expect(guest.TryCreate(NodeId.Root, "temporary", OpenFlags.O_RDWR, out Entry entry, out _));
        FileTarget file = new(entry.Node, default);
        TestGuest.Expect(guest.TryWrite(file, "data", 0));
        TestGuest.Expect(guest.TryUnlink(NodeId.Root, "temporary"));
        return file;
    }

    /// <summary>So many that no descriptor of another file is kept for being needed again.</summary>
    private static void UseOtherFiles(TestShare share, TestGuest guest)
    {
        for (int i = 0; i < 200; i++)
        {
            share.WriteFile($"other{i}");
            guest.Read(new FileTarget(guest.Lookup($"other{i}").Node, default));
        }
    }

    private static int Kept(TestGuest guest) => ((PassthroughFileSystem)guest.Files).KeptDescriptors;
}
