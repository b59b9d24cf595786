using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Host.Passthrough;
using Coherency.Host.Server;
using Xunit;

namespace Coherency.Tests.Passthrough;

/// <summary>Several threads and sessions at a time.</summary>
public sealed class ConcurrencyTests
{
    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(1);

    /// <summary>
    /// Names are exchanged, removed and made again while others look them up: the attributes in an answer must be those of
    /// the inode that its node id means. Each inode has an owner of its own, which tells.
    /// </summary>
    [Theory]
    [InlineData("/tmp", InodeFileHandles.Mandatory)]
    [InlineData("/dev/shm", InodeFileHandles.Mandatory)]
    [InlineData("/tmp", InodeFileHandles.Never)]
    public void An_answer_is_never_mixed_from_two_inodes(string parent, InodeFileHandles handles)
    {
        using TestShare share = new(o => o with { InodeFileHandles = handles }, parent);
        TestGuest keeper = share.OpenGuest();
        for (uint i = 1; i <= 4; i++)
        {
            keeper.Create(NodeId.Root, $"{i}", new Caller(i, 0, 1, null, 0));
        }

        int answers = 0;
        Run(
            (guest, round) => Exchange(guest, round),
            (guest, round) => MakeAndRemove(guest, round),
            (guest, round) => Interlocked.Add(ref answers, CheckAnswer(guest, $"{(round % 4) + 1}")),
            (guest, round) => Interlocked.Add(ref answers, CheckAnswer(guest, "made")));
        Assert.True(answers > 100);

        void Run(params Action<TestGuest, int>[] actions) => RunThreads(share, actions);
    }

    private static void Exchange(TestGuest guest, int round) =>
        TestGuest.Expect(
            guest.TryRename(NodeId.Root, $"{(round % 4) + 1}", NodeId.Root, $"{((round + 1) % 4) + 1}", OpenFlags.RENAME_EXCHANGE));

    /// <summary>A new inode gets the number of the one before on ext4: only the generation tells them apart.</summary>
    private static void MakeAndRemove(TestGuest guest, int round)
    {
        (Entry entry, FileHandle handle) = guest.Create(NodeId.Root, "made", new Caller((uint)round + 100, 0, 1, null, 0));
        guest.Release(handle);
        TestGuest.Expect(guest.TryUnlink(NodeId.Root, "made"));
        guest.Files.Forget(entry.Node, 1);
    }

    private static int CheckAnswer(TestGuest guest, string name)
    {
        if (guest.TryLookup(NodeId.Root, name, out Entry entry) != Errno.None)
        {
            return 0;
        }

        // An inode keeps its owner, number and birth; what the node id means is asked again, by the inode.
        if (guest.Files.GetAttributes(entry.Node, null, out statx now) == Errno.None)
        {
            Assert.Equal(
                (now.stx_ino, now.stx_uid, now.stx_btime.tv_nsec),
                (entry.Attributes.stx_ino, entry.Attributes.stx_uid, entry.Attributes.stx_btime.tv_nsec));
        }

        guest.Files.Forget(entry.Node, 1);
        return 1;
    }

    /// <summary>References go up and down on the same inode from several threads; in the end none is left.</summary>
    [Theory]
    [InlineData(InodeFileHandles.Mandatory)]
    [InlineData(InodeFileHandles.Never)]
    public void Counts_and_descriptors_are_right_after_a_storm(InodeFileHandles handles)
    {
        using TestShare share = new(o => o with { InodeFileHandles = handles, CachedDescriptorsMax = 8 });
        for (int i = 0; i < 40; i++)
        {
            share.WriteFile($"{i}", $"{i}");
        }

        int budget = share.Budget.Used;
        Action<TestGuest, int> useOne = (guest, round) => LookUpReadAndForget(guest, $"{round % 40}");
        RunThreads(share, [useOne, useOne, useOne, useOne], sameSession: true);
        Assert.Equal((budget, 1), (share.Budget.Used, share.Share.InodeCount));
    }

    private static void LookUpReadAndForget(TestGuest guest, string name)
    {
        TestGuest.Expect(guest.TryLookup(NodeId.Root, name, out Entry entry));
        TestGuest.Expect(guest.TryOpen(entry.Node, OpenFlags.O_RDONLY, out FileHandle handle));
        Assert.Equal(name, guest.Read(handle, most: 10));
        Assert.Equal(entry.Attributes.stx_ino, guest.Stat(entry.Node).stx_ino);
        guest.Release(handle);
        guest.Files.Forget(entry.Node, 1);
    }

    /// <summary>A handle is closed while others read through it: they get data or EBADF, never another file's data.</summary>
    [Fact]
    public void A_handle_is_not_closed_under_a_request()
    {
        using TestShare share = new();
        share.WriteFile("a", "aaaa");
        share.WriteFile("b", "bbbb");
        TestGuest guest = share.OpenGuest();
        NodeId a = guest.Lookup("a").Node;
        NodeId b = guest.Lookup("b").Node;
        ulong current = guest.Open(a, OpenFlags.O_RDONLY).Value;
        Action<TestGuest, int> read = (_, _) =>
        {
            if (guest.Files.GetAttributes(a, new FileHandle(Interlocked.Read(ref current)), out statx seen) == Errno.None)
            {
                Assert.Equal(guest.Stat(a).stx_ino, seen.stx_ino);
            }
        };
        Action<TestGuest, int> reopen = (_, _) =>
        {
            guest.Release(new FileHandle(current));
            guest.Release(guest.Open(b, OpenFlags.O_RDONLY));
            Interlocked.Exchange(ref current, guest.Open(a, OpenFlags.O_RDONLY).Value);
        };
        RunThreads(share, [read, read, reopen]);
    }

    /// <summary>Runs each action over and over on a thread of its own.</summary>
    private static void RunThreads(TestShare share, Action<TestGuest, int>[] actions, bool sameSession = false)
    {
        using TestGuest common = new(share.Share.OpenSession());
        long end = Environment.TickCount64 + (long)Duration.TotalMilliseconds;
        List<Exception> failures = [];
        Thread[] threads = [.. actions.Select(action => new Thread(() => Repeat(action)))];
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());
        Assert.Empty(failures);

        void Repeat(Action<TestGuest, int> action)
        {
            TestGuest guest = sameSession ? common : new TestGuest(share.Share.OpenSession());
            try
            {
                for (int round = 0; Environment.TickCount64 < end; round++)
                {
                    action(guest, round);
                }
            }
            catch (Exception failure)
            {
                lock (failures)
                {
                    failures.Add(failure);
                }
            }

            if (!sameSession)
            {
                guest.Dispose();
            }
        }
    }
}
