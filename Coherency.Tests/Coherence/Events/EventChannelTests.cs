using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;
using Coherency.Core.Versioning;
using Coherency.Core.Versioning.Abi;
using Coherency.Guest;
using Coherency.Guest.Coherence;
using Coherency.Guest.Fuse;
using Xunit.Abstractions;

namespace Coherency.Tests.Coherence.Events;

/// <summary>
/// A guest that listens hears of what the others change, of each change, of none of its own, and of nothing that it does not hold.
/// </summary>
public sealed class EventChannelTests(ITestOutputHelper output) : IDisposable
{
    private const uint RegularFile = StatFlags.S_IFREG | 0x1A4;

    private readonly EventBed _bed = new();

    public void Dispose() => _bed.Dispose();

    [Fact]
    public void All_that_listen_hear_of_a_change_but_not_who_made_it()
    {
        VirtioFsGuest[] guests = [_bed.Connect(0), _bed.Connect(1), _bed.Connect(2)];
        ListeningGuest[] listeners = [.. guests.Select(guest => _bed.Listen(guest))];
        for (int i = 0; i < guests.Length; i++)
        {
            guests[i].Fuse.MkNod(NodeId.Root, Bytes($"by{i}"), RegularFile);
        }

        for (int i = 0; i < guests.Length; i++)
        {
            string[] others = [.. Enumerable.Range(0, guests.Length).Where(other => other != i).Select(other => $"by{other}")];
            listeners[i].Await(told => others.All(name => told.Any(one => one.Name == name)), $"what the others of {i} made");
            Assert.DoesNotContain(listeners[i].Told, told => told.Name == $"by{i}");
        }
    }

    [Fact]
    public void Nothing_is_told_of_what_the_guest_does_not_hold()
    {
        VirtioFsGuest a = _bed.Connect(0);
        VirtioFsGuest b = _bed.Connect(1);
        ListeningGuest listener = _bed.Listen(a);
        NodeId secret = new(b.Fuse.MkDir(NodeId.Root, "secret"u8, 0x1C0).nodeid);
        NodeId inside = new(b.Fuse.MkNod(secret, "inside"u8, RegularFile).nodeid);
        b.Fuse.SetXattr(inside, "user.a"u8, "b"u8);
        b.Fuse.Rename2(secret, "inside"u8, NodeId.Root, "shown"u8, 0);
        ToldEvent[] told = listener.Await(all => all.Any(one => one.Name == "shown"), "shown");
        Assert.Equal(["secret", "shown"], told.Select(one => one.Name));
        Assert.All(told, one => Assert.Equal((_bed.Server.Shares[0].RootKey, 0UL), (one.Directory, one.Child)));

        // Of what it comes to hold it hears.
        NodeId held = new(a.Fuse.Lookup(NodeId.Root, "secret"u8).nodeid);
        b.Fuse.MkNod(secret, "second"u8, RegularFile);
        Assert.Equal(held.Value, listener.Await(FileEventKinds.Create, "second").Directory);
    }

    [Fact]
    public void No_change_of_many_is_missing()
    {
        const int Files = 5_000;
        VirtioFsGuest a = _bed.Connect(0);
        VirtioFsGuest b = _bed.Connect(1);
        ListeningGuest listener = _bed.Listen(a);
        for (int i = 0; i < Files; i++)
        {
            b.Fuse.MkNod(NodeId.Root, Bytes($"guest{i}"), RegularFile);
        }

        b.Fuse.MkNod(NodeId.Root, "last"u8, RegularFile);
        listener.Await(FileEventKinds.Create, "last");
        ExpectAll("guest");
        using HostProgram host = new(_bed.Shared);
        host.Run($"[os.close(os.open(f'host{{i}}', os.O_CREAT|os.O_WRONLY)) for i in range({Files})]; os.mkdir('end')");
        listener.Await(FileEventKinds.Create, "end");
        ExpectAll("host");

        void ExpectAll(string prefix)
        {
            HashSet<string> names = [.. listener.Told.Where(told => told.Kinds.HasFlag(FileEventKinds.Create)).Select(told => told.Name)];
            Assert.Equal(0, listener.TimesLostAll);
            Assert.Equal(Files, Enumerable.Range(0, Files).Count(i => names.Contains($"{prefix}{i}")));
        }
    }

    [Fact]
    public void How_long_it_takes_until_a_change_is_heard_of()
    {
        const int Changes = 500;
        VirtioFsGuest b = _bed.Connect(1);
        ListeningGuest listener = _bed.Listen(_bed.Connect(0));
        long[] heard = new long[Changes];
        long[] made = new long[Changes];
        listener.Heard = told =>
        {
            if (told.Name.StartsWith('n') && told.Kinds.HasFlag(FileEventKinds.Create))
            {
                heard[int.Parse(told.Name[1..], System.Globalization.CultureInfo.InvariantCulture)] = Stopwatch.GetTimestamp();
            }
        };
        using HostProgram host = new(_bed.Shared);
        Measure("another guest", i => b.Fuse.MkNod(NodeId.Root, Bytes($"n{i}"), RegularFile));
        Measure("a program of the host, its own pipe included", i => host.Run($"os.mkdir('n{i}')"));

        void Measure(string by, Action<int> change)
        {
            listener.Forget();
            for (int i = 0; i < Changes; i++)
            {
                change(i);
                made[i] = Stopwatch.GetTimestamp();
                Thread.Sleep(2);
            }

            listener.Await(told => told.Count(one => one.Name.StartsWith('n')) >= Changes, "all");
            double[] delays =
                [.. made.Zip(heard, (start, end) => Math.Max(0, Stopwatch.GetElapsedTime(start, end).TotalMicroseconds)).Order()];
            output.WriteLine(
                $"{by}: p50 {delays[Changes / 2]:F0} us, p99 {delays[Changes * 99 / 100]:F0} us, max {delays[^1]:F0} us after the " +
                "change returned");
            host.Run("[(os.rmdir(n) if os.path.isdir(n) else os.unlink(n)) for n in os.listdir('.')]");
        }
    }

    /// <summary>
    /// The guest has cached the file's size: were it told before the slots move, it would go on to believe that. Each change waits for the
    /// look at its event.
    /// </summary>
    [Fact]
    public void Who_hears_of_a_change_and_looks_finds_it()
    {
        const int Changes = 1_000;
        using LookingGuest looking = new(_bed);
        VirtioFsGuest b = _bed.Connect(1);
        NodeId file = new(b.Fuse.Lookup(NodeId.Root, "file"u8).nodeid);
        using HostProgram host = new(_bed.Shared);
        for (int i = 1; i <= Changes; i++)
        {
            b.Fuse.SetAttr(file, SizeOf((2 * i) - 1));
            looking.ExpectSeen((2 * i) - 1);
            host.Run($"os.truncate('file', {2 * i})");
            looking.ExpectSeen(2 * i);
        }

        output.WriteLine($"{2 * Changes} changes, {looking.Looks} looks, {looking.Cache.Hits} from the cache");
    }

    /// <summary>A daemon that tells before the slots move is found out by such looks.</summary>
    [Fact]
    public void Who_hears_of_a_change_before_the_slots_move_finds_what_was()
    {
        const int Changes = 20;
        using VersionTableReader table = _bed.OpenTable(0);
        File.WriteAllText(_bed.PathOf("file"), "");
        // In front of the guest's own view, so that the guest is told while it believes in its cache.
        using EarlyTeller teller = new(_bed.Server.Shares[0].Group, table.RootKey, "file");
        using LookingGuest looking = new(_bed);
        VirtioFsGuest b = _bed.Connect(1);
        NodeId file = new(b.Fuse.Lookup(NodeId.Root, "file"u8).nodeid);
        List<long> seen = [];
        looking.Looked = size =>
        {
            if (teller.Heard())
            {
                seen.Add(size);
            }
        };
        for (int i = 1; i <= Changes; i++)
        {
            teller.TellNext();
            b.Fuse.SetAttr(file, SizeOf(i));
            looking.ExpectSeen(i);
        }

        Assert.Equal(Enumerable.Range(0, Changes).Select(i => (long)i), seen);
    }

    [Fact]
    public void Without_opens_a_close_is_told_when_the_guest_has_had_the_time_to_say_that_it_is_open()
    {
        VirtioFsGuest a = _bed.Connect(0);
        VirtioFsGuest b = _bed.Connect(1, attaches: false);
        using (VersionTableReader table = _bed.OpenTable(1))
        {
            AttachHandshake.Perform(b.Fuse, table, withoutOpens: true);
        }

        Assert.True(b.Connection.WithoutOpens);
        ListeningGuest listener = _bed.Listen(a);
        NodeId file = b.Fuse.Create(NodeId.Root, "file"u8, OpenFlags.O_WRONLY, 0x1A4).Node;
        long began = Stopwatch.GetTimestamp();
        b.Fuse.Write(file, default, 0, "text"u8);
        listener.Await(FileEventKinds.Modify, "file");
        listener.Await(FileEventKinds.CloseWrite, "file");
        Assert.True(Stopwatch.GetElapsedTime(began) > TimeSpan.FromSeconds(1));

        listener.Forget();
        Say(VersionTableLayout.OpenedAttribute);
        b.Fuse.Write(file, default, 0, "more"u8);
        Thread.Sleep(1_500);
        Assert.DoesNotContain(listener.Told, told => told.Kinds.HasFlag(FileEventKinds.CloseWrite));
        Say(VersionTableLayout.ClosedAttribute);
        listener.Await(FileEventKinds.CloseWrite, "file");

        void Say(ReadOnlySpan<byte> attribute)
        {
            byte[] name = attribute.ToArray();
            FuseException done = Assert.Throws<FuseException>(() => b.Fuse.SetXattr(NodeId.Root, name, BitConverter.GetBytes(file.Value)));
            Assert.Equal(Errno.ENODATA, done.Errno);
        }
    }

    [Fact]
    public async Task A_request_that_waits_is_no_load_and_ends_in_time()
    {
        VirtioFsGuest a = _bed.Connect(0);
        using EventChannel channel = EventChannel.Open(a.Fuse);
        long began = Stopwatch.GetTimestamp();
        Assert.Empty(channel.Poll(TimeSpan.FromSeconds(1)).Events);
        Assert.True(Stopwatch.GetElapsedTime(began) >= TimeSpan.FromSeconds(1));
        Task<EventBlock> waiting = StartPoll(channel);
        Assert.True(
            SpinWait.SpinUntil(() => _bed.Server.Guests[0].Session.Counters.Read(FuseOpcode.GetXattr).InFlight == 0, EventBed.Patience));
        Assert.All(_bed.Server.Guests[0].Loads, load => Assert.Equal((0, 0), load.Read()));
        long requests = _bed.Server.Guests[0].Session.Counters.Total;
        await Task.Delay(300);
        Assert.Equal(requests, _bed.Server.Guests[0].Session.Counters.Total);
        Assert.False(waiting.IsCompleted);
        // What it waited is no duration of a request.
        Assert.True(_bed.Server.Guests[0].Session.Counters.Read(FuseOpcode.GetXattr).Durations.Nanoseconds.Sum() < 500_000_000);
        channel.Dispose();
        Assert.Empty((await waiting.WaitAsync(EventBed.Patience)).Events);
        Assert.Equal(Errno.ENODATA, ErrnoOf(() => channel.Poll(TimeSpan.FromSeconds(1))));
        Assert.False(_bed.Hears(0));
    }

    [Fact]
    public async Task Of_two_requests_the_older_is_answered_with_nothing()
    {
        VirtioFsGuest a = _bed.Connect(0);
        VirtioFsGuest b = _bed.Connect(1);
        using EventChannel channel = EventChannel.Open(a.Fuse);
        Task<EventBlock> first = StartPoll(channel);
        Task<EventBlock> second = StartPoll(channel);
        EventBlock older = await (await Task.WhenAny(first, second).WaitAsync(EventBed.Patience));
        Assert.Empty(older.Events);
        b.Fuse.MkNod(NodeId.Root, "file"u8, RegularFile);
        EventBlock[] both = await Task.WhenAll(first, second).WaitAsync(EventBed.Patience);
        Assert.Equal("file", Assert.Single(both.SelectMany(block => block.Events)).Name);
    }

    [Fact]
    public void Bad_requests_get_an_error_and_change_nothing()
    {
        VirtioFsGuest a = _bed.Connect(0);
        Assert.Equal(ChannelConstants.BlockBytesMax, a.Fuse.GetXattrLength(NodeId.Root, ChannelFormat.EventsAttribute));
        Assert.Equal(Errno.ENODATA, ErrnoOf(() => a.Fuse.GetXattr(NodeId.Root, "trusted.coherency.events.60"u8, 8064)));
        Assert.Equal(Errno.EINVAL, ErrnoOf(() => Subscribe(1, 0)));
        Assert.Equal(Errno.EINVAL, ErrnoOf(() => Subscribe(2, 0x3CE)));
        Assert.Equal(Errno.EINVAL, ErrnoOf(() => a.Fuse.SetXattr(NodeId.Root, ChannelFormat.SubscribeAttribute, new byte[7])));
        Assert.Equal(Errno.EINVAL, ErrnoOf(() => a.Fuse.SetXattr(NodeId.Root, ChannelFormat.SubscribeAttribute, new byte[9])));
        Assert.False(_bed.Hears(0));
        Assert.Equal(Errno.ENODATA, ErrnoOf(() => Subscribe(1, 0x3CE)));
        Assert.True(_bed.Hears(0));
        Assert.Equal(Errno.ENODATA, ErrnoOf(() => Subscribe(1, 0x3CE)));
        foreach (string seconds in new[] { "0", "86401", "-1", "x", "", "1x", "99999999999999999999" })
        {
            Assert.Equal(Errno.EINVAL, ErrnoOf(() => a.Fuse.GetXattr(NodeId.Root, Bytes($"trusted.coherency.events.{seconds}"), 8064)));
        }

        Assert.Equal(Errno.ERANGE, ErrnoOf(() => a.Fuse.GetXattr(NodeId.Root, "trusted.coherency.events.60"u8, 4095)));
        // Nothing of it has become an attribute of the directory.
        NodeId other = new(a.Fuse.MkDir(NodeId.Root, "d"u8, 0x1ED).nodeid);
        Assert.Equal(Errno.ENODATA, ErrnoOf(() => a.Fuse.GetXattr(NodeId.Root, "trusted.coherency.subscribe"u8, 100)));
        Assert.Equal(Errno.ENODATA, ErrnoOf(() => a.Fuse.GetXattr(other, "trusted.coherency.events"u8, 100)));

        void Subscribe(uint on, uint mask)
        {
            coherency_subscription wish = new() { on = on, mask = mask };
            a.Fuse.SetXattr(
                NodeId.Root, ChannelFormat.SubscribeAttribute, MemoryMarshal.AsBytes(new ReadOnlySpan<coherency_subscription>(in wish)));
        }
    }

    [Fact]
    public async Task A_request_that_waits_holds_up_neither_the_end_of_the_queue_nor_of_the_session()
    {
        VirtioFsGuest a = _bed.Connect(0);
        EventChannel channel = EventChannel.Open(a.Fuse);
        Task<EventBlock> waiting = StartPoll(channel);
        AttachHandshake.End(a.Fuse);
        Assert.Empty((await waiting.WaitAsync(EventBed.Patience)).Events);
        Assert.False(_bed.Hears(0));

        // The next conversation hears nothing that it has not asked for.
        channel = EventChannel.Open(a.Fuse);
        waiting = StartPoll(channel);
        a.Connection.Destroy();
        Assert.Empty((await waiting.WaitAsync(EventBed.Patience)).Events);
        a.Connection.Initialize();
        Assert.False(_bed.Hears(0));

        channel = EventChannel.Open(a.Fuse);
        waiting = StartPoll(channel);
        await Task.Run(
            () => _bed.Server.Guests[0].Endpoint!.Drain(new CancellationTokenSource(EventBed.Patience).Token)).WaitAsync(EventBed.Patience);
        Exception ended = await Assert.ThrowsAnyAsync<Exception>(() => waiting.WaitAsync(EventBed.Patience));
        Assert.True(ended is FuseException { Errno: Errno.EINTR } or DeviceGoneException, $"{ended}");
    }

    [Fact]
    public void A_guest_that_never_fetches_costs_a_bounded_memory_and_is_told_what_it_missed()
    {
        const int Files = 2_000;
        VirtioFsGuest a = _bed.Connect(0);
        VirtioFsGuest b = _bed.Connect(1);
        using EventChannel channel = EventChannel.Open(a.Fuse);
        ListeningGuest quick = _bed.Listen(_bed.Connect(2));
        string longName = new('x', 240);
        for (int i = 0; i < Files; i++)
        {
            // Some 1,100 bytes each.
            b.Fuse.MkNod(NodeId.Root, Bytes($"{longName}{i}"), RegularFile);
            b.Fuse.Rename2(NodeId.Root, Bytes($"{longName}{i}"), NodeId.Root, Bytes($"{longName}-{i}"), 0);
            b.Fuse.Unlink(NodeId.Root, Bytes($"{longName}-{i}"));
        }

        b.Fuse.MkNod(NodeId.Root, "end"u8, RegularFile);
        quick.Await(FileEventKinds.Create, "end");
        Assert.True(_bed.Server.Guests[0].Session.EventCounts!.Value.Lost > 0);
        List<ToldEvent> told = [];
        EventBlock block;
        do
        {
            block = channel.Poll(TimeSpan.FromSeconds(1));
            told.AddRange(block.Events);
        }
        while (block.Events.Count > 0);
        Assert.Contains(told, one => one.Flags.HasFlag(FileEventFlags.Changed) && one.Directory == _bed.Server.Shares[0].RootKey);
        Assert.True(told.Count < 4 * Files);
    }

    [Fact]
    public void Without_events_there_is_no_channel()
    {
        using EventBed bed = new(share => share with { Events = false }, guests: 1);
        VirtioFsGuest a = bed.Connect(0);
        Assert.Equal(Errno.ENODATA, ErrnoOf(() => EventChannel.Open(a.Fuse)));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(10)]
    public void What_a_change_costs_who_makes_it(int listeners)
    {
        const int Changes = 5_000;
        using EventBed bed = new(guests: listeners + 1);
        for (int i = 0; i < listeners; i++)
        {
            bed.Listen(bed.Connect(i + 1));
        }

        VirtioFsGuest actor = bed.Connect(0);
        NodeId file = new(actor.Fuse.MkNod(NodeId.Root, "file"u8, RegularFile).nodeid);
        fuse_setattr_in wanted = new() { valid = (uint)FuseSetAttrValid.Mode, mode = 0x1A4 };
        for (int round = 0; round < 2; round++)
        {
            long began = Stopwatch.GetTimestamp();
            for (int i = 0; i < Changes; i++)
            {
                actor.Fuse.SetAttr(file, wanted);
            }

            output.WriteLine(
                $"{listeners} listen: {Stopwatch.GetElapsedTime(began).TotalMicroseconds / Changes:F1} us for a SETATTR and its way");
        }

        Assert.Equal(listeners, bed.Server.Shares[0].Group.Events.Subscribers);
    }

    private static fuse_setattr_in SizeOf(int size) => new() { valid = (uint)FuseSetAttrValid.Size, size = (ulong)size };

    /// <summary>Of the first guest; returns when it waits.</summary>
    private Task<EventBlock> StartPoll(EventChannel channel)
    {
        Task<EventBlock> poll = Task.Factory.StartNew(
            () => channel.Poll(EventBed.Patience), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        Assert.True(SpinWait.SpinUntil(() => _bed.Server.Guests[0].Session.HasWaitingPoll || poll.IsCompleted, EventBed.Patience));
        return poll;
    }

    private static Errno ErrnoOf(Action request)
    {
        try
        {
            request();
            return Errno.None;
        }
        catch (FuseException failed)
        {
            return failed.Errno;
        }
    }

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);
}
