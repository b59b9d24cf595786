using System.Text;
using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Core.Versioning.Abi;
using Coherency.Guest.Coherence;
using Coherency.Host.Coherence.Events;
using Coherency.Host.Coherence.HostWatching;
using Coherency.Host.Server;
using Coherency.Tests.Passthrough;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit.Abstractions;

namespace Coherency.Tests.Coherence.Events;

/// <summary>
/// What a client hears of changes beside the daemon, by either way of noticing them, and what its own changes cost nobody.
/// </summary>
[Trait("Category", "Root")]
public sealed class HostEventTests : IDisposable
{
    private readonly TestShare _share = new(parent: "/dev/shm");
    private readonly WatchedTable _own;
    private readonly WatchedTable _others;
    private readonly TestGuest _guest;
    private readonly TestGuest _other;
    private readonly HostProgram _host;
    private readonly EventSubscriber _subscriber;
    private readonly ITestOutputHelper _output;
    private HostWatcher? _watcher;

    public HostEventTests(ITestOutputHelper output)
    {
        _output = output;
        _own = new WatchedTable(_share.Share.Group, _share.Share.RootKey);
        _others = new WatchedTable(_share.Share.Group, _share.Share.RootKey);
        _guest = _share.OpenGuest(_own.View);
        _other = _share.OpenGuest(_others.View);
        _host = new HostProgram(_share.Directory);
        _subscriber = new EventSubscriber(_own.View, new Audience(_share.Share.RootKey, _guest.Files), FileEventKinds.All, static _ => { });
        Directory.CreateDirectory(_share.Path("d"));
        _share.WriteFile("d/file");
        _share.WriteFile("d/other");
    }

    public void Dispose()
    {
        _share.Share.Group.Events.Unsubscribe(_subscriber);
        _host.Dispose();
        _watcher?.Dispose();
        _share.Dispose();
        _own.Dispose();
        _others.Dispose();
    }

    [Theory]
    [InlineData(WatchState.Fanotify)]
    [InlineData(WatchState.Inotify)]
    public void Programs_of_the_host(WatchState state)
    {
        Watch(state);
        NodeId directory = _guest.Lookup("d").Node;
        NodeId file = _guest.Lookup("d/file").Node;
        Expect("os.close(os.open('d/new', os.O_CREAT|os.O_WRONLY))", "Create d new", "CloseWrite d new");
        Expect("write('d/file', b'x')", "Modify d file", "CloseWrite d file");
        Expect("write('d/other', b'x')", "Modify d other", "CloseWrite d other");
        Expect("os.chmod('d/file', 0o600)", "Attributes d file");
        Expect("os.rename('d/new', 'd/moved')", "MovedFrom d new", "MovedTo d moved");
        Expect("os.unlink('d/moved')", "Delete d moved");
        Expect("os.unlink('d/other')", "Delete d other");
        Assert.False(directory == file);

        void Expect(string statement, params string[] expected)
        {
            List<ToldEvent> told = Hear(() => _host.Run(statement));
            List<string> seen = [.. told.Where(one => one.Directory == directory.Value).SelectMany(Describe)];
            Assert.True(
                expected.All(seen.Contains) && seen.Distinct().Count() == expected.Length, $"{statement}: {string.Join(", ", seen)}");
        }

        IEnumerable<string> Describe(ToldEvent told) =>
            Enum.GetValues<FileEventKinds>()
                .Where(
                    kind => kind is not (FileEventKinds.None or FileEventKinds.All or FileEventKinds.IsDirectory)
                        && told.Kinds.HasFlag(kind))
                .Select(kind => $"{kind} d {told.Name}");
    }

    [Theory]
    [InlineData(WatchState.Fanotify)]
    [InlineData(WatchState.Inotify)]
    public void Its_own_changes_are_not_taken_for_those_of_programs(WatchState state)
    {
        Watch(state);
        NodeId directory = _guest.Lookup("d").Node;
        NodeId file = _guest.Lookup("d/file").Node;
        List<ToldEvent> told = Hear(() =>
        {
            _guest.Create(directory, "own");
            FileHandle handle = _guest.Open(file, OpenFlags.O_WRONLY);
            TestGuest.Expect(_guest.TryWrite(handle, "text", 0));
            _guest.Release(handle);
            TestGuest.Expect(_guest.TrySetAttributes(file, new AttributeChange { Valid = FuseSetAttrValid.Mode, Mode = 0x180 }, out _));
            TestGuest.Expect(_guest.TryRename(directory, "own", directory, "renamed"));
            TestGuest.Expect(_guest.TryUnlink(directory, "renamed"));
        });
        Assert.Empty(told);
    }

    [Fact]
    public void A_directory_that_nobody_holds_is_told_by_its_name_where_the_one_that_it_is_in_is_held()
    {
        Directory.CreateDirectory(_share.Path("d/unknown"));
        Watch(WatchState.Fanotify);
        NodeId directory = _guest.Lookup("d").Node;
        ToldEvent told = Assert.Single(Hear(() => _host.Run("os.chmod('d/unknown', 0o700)")));
        Assert.Equal(
            (directory.Value, 0UL, "unknown", FileEventKinds.Attributes | FileEventKinds.IsDirectory),
            (told.Directory, told.Child, told.Name, told.Kinds));
    }

    [Fact]
    public void Made_and_removed_at_once_ends_as_it_is()
    {
        Watch(WatchState.Fanotify);
        NodeId directory = _guest.Lookup("d").Node;
        List<ToldEvent> told = Hear(
            () => _host.Run("[(os.close(os.open(f'd/t{i}', os.O_CREAT|os.O_WRONLY)), os.unlink(f'd/t{i}')) for i in range(500)]"));
        for (int i = 0; i < 500; i++)
        {
            FileEventKinds[] kinds = [.. told.Where(one => one.Name == $"t{i}"
                && one.Directory == directory.Value).Select(one => one.Kinds)];
            Assert.True(
                kinds.Length > 0 && kinds[^1] == FileEventKinds.Delete && kinds.Contains(FileEventKinds.Create),
                $"t{i}: {string.Join(' ', kinds)}");
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(10)]
    public void Telling_of_changes_allocates_nothing(int listeners)
    {
        const int Rounds = 1_000;
        (Entry entry, FileHandle handle) = _guest.Create(NodeId.Root, "written");
        _other.Lookup("written");
        ShareEvents events = _share.Share.Group.Events;
        EventSubscriber[] subscribers = [.. Enumerable.Range(0, listeners).Select(_ => new EventSubscriber(
            _others.View, new Audience(_share.Share.RootKey, _other.Files), FileEventKinds.All, static _ => { }))];
        Array.ForEach(subscribers, events.Subscribe);
        try
        {
            Change(Rounds);
            // The runtime may give a thread new memory now and then: once without it is proof.
            long least = Enumerable.Range(0, 3).Min(_ => Measure());
            Assert.True(least < Rounds, $"{least} bytes by {Rounds} times two changes");
            _output.WriteLine($"{listeners} listen: {(double)least / (2 * Rounds)} bytes for a change");
            Assert.All(subscribers, subscriber => Assert.True(subscriber.Counts.Queued >= 4 * Rounds));
        }
        finally
        {
            Array.ForEach(subscribers, events.Unsubscribe);
        }

        long Measure()
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            Change(Rounds);
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }

        unsafe void Change(int rounds)
        {
            byte data = 0;
            AttributeChange mode = new() { Valid = FuseSetAttrValid.Mode, Mode = 0x1A4 };
            for (int i = 0; i < rounds; i++)
            {
                IoVec vector = new(&data, 1);
                bool isWritten = _guest.Files
                    .Write(TestGuest.Root, new FileTarget(entry.Node, handle), &vector, 1, 0, FuseWriteFlags.None, out _) == Errno.None;
                bool isSet = _guest.Files.SetAttributes(TestGuest.Root, entry.Node, mode, out _) == Errno.None;
                // An assertion allocates.
                if (!isWritten || !isSet)
                {
                    throw new InvalidOperationException("a change failed");
                }
            }
        }
    }

    [Fact]
    public void Lost_events_of_the_host_are_told()
    {
        Watch(WatchState.Fanotify);
        _share.Share.Group.Lost();
        byte[] block = new byte[ChannelConstants.BlockBytesMax];
        Assert.True(_subscriber.Queue.HasContent);
        Assert.True(
            EventBlock.Parse(block.AsSpan(0, _subscriber.Queue.Take(block, new Audience(_share.Share.RootKey, _guest.Files)))).LostAll);
    }

    private void Watch(WatchState state)
    {
        _watcher = new HostWatcher(_share.Share, _share.Share.Group, NullLogger.Instance, state);
        Assert.Equal(state, _watcher.State);
        _share.Share.Group.Events.Subscribe(_subscriber);
    }

    /// <summary>What the guest is told of what happens, but of the marker after it.</summary>
    private List<ToldEvent> Hear(Action change)
    {
        string marker = $"marker{Guid.NewGuid():N}";
        change();
        // Held by the guest, and so watched by whatever watches.
        _guest.Lookup("d");
        _host.Run($"os.mkdir('{marker}')");
        List<ToldEvent> all = [];
        Audience audience = new(_share.Share.RootKey, _guest.Files);
        byte[] block = new byte[ChannelConstants.BlockBytesMax];
        long end = Environment.TickCount64 + (long)EventBed.Patience.TotalMilliseconds;
        while (!all.Any(told => told.Name == marker))
        {
            Assert.True(Environment.TickCount64 < end, $"the marker was not told: {string.Join("; ", all)}");
            Thread.Sleep(5);
            all.AddRange(EventBlock.Parse(block.AsSpan(0, _subscriber.Queue.Take(block, audience))).Events);
        }

        return [.. all.Where(told => !told.Name.StartsWith("marker", StringComparison.Ordinal))];
    }

    private sealed class Audience(ulong rootKey, IFileSystem files) : IEventAudience
    {
        public bool Holds(ulong key) => files.Holds(NodeOf(key));

        public bool IsRemoved(ulong key) => files.IsRemoved(NodeOf(key));

        public bool HasName(ulong directory, ReadOnlySpan<byte> name) => files.HasName(NodeOf(directory), name);

        private NodeId NodeOf(ulong key) => key == rootKey ? NodeId.Root : new NodeId(key);
    }
}
