using System.Diagnostics;
using System.Text;
using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;
using Coherency.Core.Versioning.Abi;
using Coherency.Guest;
using Coherency.Guest.Coherence;
using Coherency.Guest.Fuse;
using Coherency.Host.Server;
using Coherency.Tests.Coherence.Events;

namespace Coherency.Tests.Coherence.Locks;

/// <summary>
/// Guests that wait for locks by themselves: they ask without waiting, are told when a lock may be free, and ask again
/// (docs/version-table.md, "Waiting for locks").
/// </summary>
public sealed class AskedLockTests : IDisposable
{
    private static readonly TimeSpan Poll = TimeSpan.FromMinutes(5);

    private readonly EventBed _bed = new();
    private readonly Dictionary<int, VirtioFsGuest> _connected = [];

    public AskedLockTests() => File.WriteAllText(_bed.PathOf("file"), "text");

    private int Waiting => _bed.Server.LockWaits.AskedCount;

    public void Dispose() => _bed.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Who_has_asked_is_told_when_the_lock_may_be_free(bool isFlock)
    {
        Client a = Connect(0);
        Client b = Connect(1);
        using EventChannel channel = EventChannel.Open(b.Guest.Fuse, FileEventKinds.None, wantsLocks: true);
        Assert.Equal(Errno.None, a.Ask(1, isFlock: isFlock));
        Assert.Equal(Errno.EAGAIN, b.Ask(1, isFlock: isFlock));
        Task<EventBlock> told = Start(() => channel.Poll(Poll));
        Assert.Equal(1, Waiting);

        a.Unlock(1, isFlock);
        Assert.Equal([b.File.Value], (await told.WaitAsync(EventBed.Patience)).Freed);
        Assert.Equal(Errno.None, b.Ask(1, LockAskFlags.Again, isFlock: isFlock));
        Assert.Equal(0, Waiting);
        Assert.Equal(Errno.EAGAIN, a.Ask(1, isFlock: isFlock));
    }

    /// <summary>
    /// A lock for writing that becomes one for reading, and a flock(2) lock that is lost because it could not become another.
    /// </summary>
    [Fact]
    public async Task Who_has_asked_is_told_of_what_is_freed_otherwise()
    {
        Client a = Connect(0);
        Client b = Connect(1);
        using EventChannel channel = EventChannel.Open(b.Guest.Fuse, FileEventKinds.None, wantsLocks: true);
        Assert.Equal(Errno.None, a.Ask(1));
        Assert.Equal(Errno.EAGAIN, b.Ask(1, type: LockFlags.F_RDLCK));
        a.Guest.Fuse.SetLk(a.File, a.Handle, 1, Whole(LockFlags.F_RDLCK));
        Assert.Single((await Start(() => channel.Poll(Poll)).WaitAsync(EventBed.Patience)).Freed);
        Assert.Equal(Errno.None, b.Ask(1, LockAskFlags.Again, type: LockFlags.F_RDLCK));

        Client other = a with { Handle = new FileHandle(a.Guest.Fuse.Open(a.File, OpenFlags.O_RDWR).fh) };
        Assert.Equal(Errno.None, a.Ask(1, type: LockFlags.F_RDLCK, isFlock: true));
        Assert.Equal(Errno.None, other.Ask(2, type: LockFlags.F_RDLCK, isFlock: true));
        Assert.Equal(Errno.EAGAIN, b.Ask(3, isFlock: true));
        other.Unlock(2, isFlock: true);
        Assert.Single((await Start(() => channel.Poll(Poll)).WaitAsync(EventBed.Patience)).Freed);
        Assert.Equal(Errno.EAGAIN, b.Ask(3, LockAskFlags.Again, isFlock: true));
        // What a has is gone when it asks for another: b is told, or has it already.
        Assert.Equal(Errno.None, other.Ask(2, type: LockFlags.F_RDLCK, isFlock: true, tries: true));
        Assert.Equal(Errno.EAGAIN, a.Ask(1, isFlock: true, tries: true));
        Assert.Single((await Start(() => channel.Poll(Poll)).WaitAsync(EventBed.Patience)).Freed);
    }

    [Fact]
    public async Task A_guest_that_goes_leaves_nothing_and_its_locks_are_told()
    {
        Client a = Connect(0);
        Client b = Connect(1);
        Client c = Connect(2);
        using EventChannel channel = EventChannel.Open(c.Guest.Fuse, FileEventKinds.None, wantsLocks: true);
        Assert.Equal(Errno.None, a.Ask(1));
        Assert.Equal(Errno.EAGAIN, b.Ask(1));
        Assert.Equal(Errno.EAGAIN, c.Ask(1));
        Assert.Equal(2, Waiting);
        b.Guest.Dispose();
        Assert.True(SpinWait.SpinUntil(() => Waiting == 1, EventBed.Patience));
        a.Guest.Dispose();
        DateTime end = DateTime.UtcNow + EventBed.Patience;
        while (c.Ask(1, LockAskFlags.Again) != Errno.None)
        {
            Assert.True(DateTime.UtcNow < end);
            await Start(() => channel.Poll(Poll)).WaitAsync(EventBed.Patience);
        }

        Assert.Equal(0, Waiting);
    }

    [Fact]
    public void Who_waits_no_more_leaves_nothing()
    {
        Client a = Connect(0);
        Client b = Connect(1);
        Assert.Equal(Errno.None, a.Ask(1, start: 0, end: 9));
        Assert.Equal(Errno.EAGAIN, b.Ask(1, start: 0, end: 9));
        Assert.Equal(Errno.EAGAIN, b.Ask(1, start: 0, end: 9));
        Assert.Equal(2, Waiting);
        Assert.Equal(Errno.None, b.Ask(1, LockAskFlags.Leave, start: 0, end: 9));
        Assert.Equal(1, Waiting);
        Assert.Equal(Errno.None, b.Ask(1, LockAskFlags.Leave, start: 0, end: 9));
        Assert.Equal(Errno.None, b.Ask(1, LockAskFlags.Leave, start: 0, end: 9));
        Assert.Equal(0, Waiting);

        // Nor what it would deadlock with.
        Assert.Equal(Errno.None, b.Ask(1, start: 100, end: 109));
        Assert.Equal(Errno.EBUSY, a.Ask(1, start: 100, end: 109));
        Assert.Equal(Errno.EDEADLK, b.Ask(1, start: 0, end: 9));
        Assert.Equal(Errno.None, a.Ask(1, LockAskFlags.Leave, start: 100, end: 109));
        Assert.Equal(Errno.EBUSY, b.Ask(1, start: 0, end: 9));
        Assert.Equal(Errno.None, b.Ask(1, LockAskFlags.Leave, start: 0, end: 9));
        Assert.Equal(0, Waiting);
    }

    /// <summary>Each owner holds a byte and wants the next one's.</summary>
    [Theory]
    [InlineData(1, 2)]
    [InlineData(2, 2)]
    [InlineData(1, 5)]
    [InlineData(3, 6)]
    public void Those_that_wait_for_each_other_are_found(int guests, int owners)
    {
        Client[] clients = [.. Enumerable.Range(0, guests).Select(guest => Connect(guest))];
        for (int i = 0; i < owners; i++)
        {
            Assert.Equal(Errno.None, clients[i % guests].Ask((ulong)i, start: i, end: i));
        }

        for (int i = 0; i < owners - 1; i++)
        {
            Assert.Equal(Errno.EBUSY, clients[i % guests].Ask((ulong)i, start: i + 1, end: i + 1));
        }

        Client last = clients[(owners - 1) % guests];
        Assert.Equal(Errno.EDEADLK, last.Ask((ulong)owners - 1, start: 0, end: 0));
        // Locks of open files are not a process's.
        Assert.Equal(Errno.EBUSY, last.Ask((ulong)owners - 1, LockAskFlags.Ask | LockAskFlags.OpenFile, start: 0, end: 0));
        Assert.Equal(owners, Waiting);
        Assert.Equal(Errno.EBUSY, clients[0].Ask(0, LockAskFlags.Again, start: 1, end: 1));
    }

    /// <summary>Nobody asks but when it was told: a lost message would keep a guest waiting for good.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task No_message_is_lost(bool isFlock)
    {
        const int Rounds = 300;
        int inside = 0;
        long told = 0;
        Client[] clients = [.. Enumerable.Range(0, 3).Select(guest => Connect(guest))];
        // The others begin by waiting: on a busy machine they might not meet otherwise.
        Assert.Equal(Errno.None, clients[0].Ask(1, isFlock: isFlock));
        Task[] guests = [.. clients[1..].Select(client => Start(() => Work(client)))];
        Assert.True(SpinWait.SpinUntil(() => Waiting == guests.Length, EventBed.Patience));
        clients[0].Unlock(1, isFlock);
        guests = [.. guests, Start(() => Work(clients[0]))];
        await Task.WhenAll(guests).WaitAsync(EventBed.Patience);
        Assert.Equal(0, Waiting);
        Assert.True(told >= guests.Length - 1);

        int Work(Client client)
        {
            using EventChannel channel = EventChannel.Open(client.Guest.Fuse, FileEventKinds.None, wantsLocks: true);
            for (int i = 0; i < Rounds; i++)
            {
                Errno errno = client.Ask(1, isFlock: isFlock);
                while (errno == Errno.EAGAIN)
                {
                    Interlocked.Increment(ref told);
                    EventBlock block = channel.Poll(Poll);
                    Assert.True(block.Freed.Count > 0);
                    errno = client.Ask(1, LockAskFlags.Again, isFlock: isFlock);
                }

                Assert.Equal(Errno.None, errno);
                Assert.Equal(1, Interlocked.Increment(ref inside));
                Interlocked.Decrement(ref inside);
                client.Unlock(1, isFlock);
            }

            return 0;
        }
    }

    [Fact]
    public void Who_comes_later_gives_way_for_a_while_but_not_who_only_tries()
    {
        Client a = Connect(0);
        Client b = Connect(1);
        Client c = Connect(2);
        Assert.Equal(Errno.None, a.Ask(1, type: LockFlags.F_RDLCK));
        Assert.Equal(Errno.EAGAIN, b.Ask(1));
        long since = Environment.TickCount64;
        // So that a quarter of it is something.
        Assert.True(SpinWait.SpinUntil(() => Environment.TickCount64 - since > 100, EventBed.Patience));
        Assert.Equal(Errno.EAGAIN, c.Ask(1, type: LockFlags.F_RDLCK));
        Assert.Equal(Errno.None, c.Ask(2, type: LockFlags.F_RDLCK, tries: true));
        c.Unlock(2, isFlock: false);
        // What does not stand in its way has none to give.
        Assert.Equal(Errno.None, c.Ask(3, type: LockFlags.F_RDLCK, isFlock: true));
        Assert.True(SpinWait.SpinUntil(
            () => c.Ask(1, LockAskFlags.Again, type: LockFlags.F_RDLCK) == Errno.None, EventBed.Patience));
        Assert.Equal(Errno.EAGAIN, b.Ask(1, LockAskFlags.Again));

        // Nor does who has what the other waits for: he would wait for himself, until he is given up.
        Assert.Equal(Errno.None, a.Ask(1, start: 5, end: 6, type: LockFlags.F_RDLCK));
    }

    /// <summary>Its machine may have been stopped.</summary>
    [Fact]
    public void Who_is_told_and_does_not_come_is_given_way_to_for_a_moment_only()
    {
        Client a = Connect(0);
        Client b = Connect(1);
        Assert.Equal(Errno.None, a.Ask(1));
        Assert.Equal(Errno.EAGAIN, b.Ask(1));
        long since = Environment.TickCount64;
        Assert.True(SpinWait.SpinUntil(() => Environment.TickCount64 - since > 3000, EventBed.Patience));
        a.Unlock(1, isFlock: false);
        since = Environment.TickCount64;
        Assert.True(SpinWait.SpinUntil(() => Environment.TickCount64 - since > 200, EventBed.Patience));
        // Otherwise for 750 ms.
        Assert.Equal(Errno.None, a.Ask(1));
        a.Unlock(1, isFlock: false);
        Assert.Equal(Errno.None, b.Ask(1, LockAskFlags.Again));
    }

    [Fact]
    public void What_a_guest_may_wait_for_is_bounded_and_what_makes_no_sense_is_refused()
    {
        Client a = Connect(0);
        Client b = Connect(1);
        Assert.Equal(Errno.None, a.Ask(1));
        for (int i = 0; i < LockWaits.AskedMax; i++)
        {
            Assert.Equal(Errno.EAGAIN, b.Ask((ulong)i, flags: LockAskFlags.Ask | LockAskFlags.OpenFile));
        }

        Assert.Equal(Errno.ENOLCK, b.Ask(LockWaits.AskedMax, flags: LockAskFlags.Ask | LockAskFlags.OpenFile));
        Assert.Equal(LockWaits.AskedMax, Waiting);
        Client other = Connect(2);
        Assert.Equal(Errno.EAGAIN, other.Ask(1));
        b.Guest.Dispose();
        Assert.True(SpinWait.SpinUntil(() => Waiting == 1, EventBed.Patience));

        for (int i = 0; i < LockWaits.AskedOfOwnerMax; i++)
        {
            Assert.Equal(Errno.EAGAIN, Again(i, LockAskFlags.Ask));
        }

        Assert.Equal(Errno.ENOLCK, Again(LockWaits.AskedOfOwnerMax, LockAskFlags.Ask));
        Assert.All([0, 1, LockWaits.AskedOfOwnerMax - 1], i => Assert.Equal(Errno.None, Again(i, LockAskFlags.Leave)));
        Assert.Equal(1 + LockWaits.AskedOfOwnerMax - 3, Waiting);

        Errno Again(int start, LockAskFlags flags) => other.Ask(7, flags, start: start, end: start);

        Assert.Equal(Errno.EINVAL, a.Ask(1, LockAskFlags.Ask | LockAskFlags.Again));
        Assert.Equal(Errno.EINVAL, a.Ask(1, LockAskFlags.Ask, type: LockFlags.F_UNLCK));
        Assert.Equal(Errno.EINVAL, a.Ask(1, LockAskFlags.Leave | LockAskFlags.Again));
        Assert.Equal(Errno.EINVAL, a.Ask(1, LockAskFlags.Ask, type: 3));
    }

    /// <summary>The others wait for what is done with it.</summary>
    [Fact]
    public void A_question_takes_no_longer_because_one_guest_waits_for_thousands_of_locks()
    {
        const int Few = 2;
        const int Many = LockWaits.AskedMax - Few;
        File.WriteAllText(_bed.PathOf("other"), "text");
        Client[] holders = [Connect(0), Connect(0, "other")];
        Client[] waiters = [Connect(1), Connect(1, "other")];
        int[] waits = [Many, Few];
        for (int file = 0; file < 2; file++)
        {
            Assert.Equal(Errno.None, holders[file].Ask(1));
            for (int i = 0; i < waits[file]; i++)
            {
                Assert.Equal(Errno.EAGAIN, Ask(file, i, LockAskFlags.Ask));
            }
        }

        // Of the last one, for a walk would pass all the others; in turns, so that whatever else the machine does meets both.
        double[] least = [double.MaxValue, double.MaxValue];
        for (int i = 0; i < 4000; i++)
        {
            int file = i % 2;
            long start = Stopwatch.GetTimestamp();
            Assert.Equal(Errno.EAGAIN, Ask(file, waits[file] - 1, LockAskFlags.Again));
            least[file] = Math.Min(least[file], Stopwatch.GetElapsedTime(start).TotalMicroseconds);
        }

        // A walk of all of them made it 40 times as long.
        Assert.True(least[0] < 10 * least[1], $"{least[0]} us, {least[1]} us");

        Errno Ask(int file, int place, LockAskFlags flags) =>
            waiters[file].Ask((ulong)place + 1, flags | LockAskFlags.OpenFile, start: place, end: place);
    }

    private static Task<T> Start<T>(Func<T> work) =>
        Task.Factory.StartNew(work, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private static fuse_file_lock Whole(short type, long start = 0, long end = long.MaxValue) =>
        new() { start = (ulong)start, end = (ulong)end, type = (uint)type };

    private Client Connect(int guest, string name = "file")
    {
        if (!_connected.TryGetValue(guest, out VirtioFsGuest? connected))
        {
            _connected.Add(guest, connected = _bed.Connect(guest));
        }

        NodeId file = new(connected.Fuse.Lookup(NodeId.Root, Encoding.UTF8.GetBytes(name)).nodeid);
        return new Client(connected, file, new FileHandle(connected.Fuse.Open(file, OpenFlags.O_RDWR).fh));
    }

    private sealed record Client(VirtioFsGuest Guest, NodeId File, FileHandle Handle)
    {
        public Errno Ask(
            ulong owner, LockAskFlags flags = LockAskFlags.Ask, long start = 0, long end = long.MaxValue,
            short type = LockFlags.F_WRLCK, bool isFlock = false, bool tries = false) =>
            tries ? Try(owner, Whole(type, start, end), isFlock)
                : Guest.Fuse.AskLock(File, Handle, owner, Whole(type, start, end), flags, isFlock);

        public void Unlock(ulong owner, bool isFlock)
        {
            Errno errno = Try(owner, Whole(LockFlags.F_UNLCK), isFlock);
            Xunit.Assert.Equal(Errno.None, errno);
        }

        private Errno Try(ulong owner, fuse_file_lock wanted, bool isFlock)
        {
            try
            {
                if (isFlock)
                {
                    Guest.Fuse.Flock(File, Handle, owner, (short)wanted.type);
                }
                else
                {
                    Guest.Fuse.SetLk(File, Handle, owner, wanted);
                }

                return Errno.None;
            }
            catch (FuseException failed)
            {
                return failed.Errno;
            }
        }
    }
}
