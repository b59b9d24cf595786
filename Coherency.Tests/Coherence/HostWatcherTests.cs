using System.Text;
using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Core.Versioning;
using Coherency.Host.Coherence;
using Coherency.Host.Coherence.HostWatching;
using Coherency.Host.Passthrough;
using Coherency.Host.Server;
using Coherency.Tests.Hostile;
using Coherency.Tests.Passthrough;
using Microsoft.Extensions.Logging.Abstractions;

namespace Coherency.Tests.Coherence;

/// <summary>
/// What programs of the host change moves the slots that a guest's same operation moves (MutationTests), under the keys that
/// guests know. What else moves is stated where it is expected.
/// </summary>
[Trait("Category", "Root")]
public sealed class HostWatcherTests : IDisposable
{
    /// <summary>
    /// Changed after whatever a test looks at: events of one queue come in the order of the changes. A guest holds it.
    /// </summary>
    private const string Marker = "marker";

    private readonly string _folder = Directory.CreateTempSubdirectory("coherency-watch-").FullName;
    private readonly TemporaryMount _fileSystem;
    private readonly TestShare _share;
    private readonly ChangesSeen _seen = new();
    private readonly CollectedLog _log = new();
    private readonly HostProgram _host;
    private readonly SlotKey _root;
    private TestGuest? _guest;
    private Action _identified = static () => { };
    private HostWatcher? _watcher;

    /// <summary>The share is a file system of its own, in which nobody else changes anything.</summary>
    public HostWatcherTests()
    {
        _fileSystem = new TemporaryMount(_folder, "tmpfs", "tmpfs");
        _share = new TestShare(o => o with { Identified = () => _identified() }, _folder);
        _host = new HostProgram(_share.Directory);
        _root = SlotKey.Inode(_share.Share.RootKey);
        Directory.CreateDirectory(_share.Path(Marker));
    }

    public void Dispose()
    {
        _seen.MayGoOn.Set();
        _host.Dispose();
        _guest?.Dispose();
        _watcher?.Dispose();
        _share.Dispose();
        _fileSystem.Dispose();
        Directory.Delete(_folder);
    }

    [Theory]
    [InlineData(WatchState.Fanotify)]
    [InlineData(WatchState.Inotify)]
    public void Making_names(WatchState state)
    {
        Watch(state);
        SlotKey file = File("file");
        SlotKey directory = Make("os.mkdir('d')", "d");
        ExpectSlots("os.mkdir('d/inner')", Name("d", "inner"), directory);
        ExpectSlots("os.close(os.open('a', os.O_CREAT|os.O_EXCL|os.O_WRONLY))", Name("a"), _root);
        ExpectSlots("os.symlink('x', 's')", Name("s"), _root);
        ExpectSlots("os.mknod('n', stat.S_IFIFO|0o600)", Name("n"), _root);
        ExpectSlots("os.link('file', 'd/linked')", Name("d", "linked"), directory, file);
    }

    [Theory]
    [InlineData(WatchState.Fanotify)]
    [InlineData(WatchState.Inotify)]
    public void Removing_names(WatchState state)
    {
        Watch(state);
        SlotKey file = File("file");
        ExpectSlots("os.link('file', 'other')", Name("other"), _root, file);
        ExpectSlots("os.unlink('other')", Name("other"), _root, file);
        ExpectSlots("os.unlink('file')", Name("file"), _root, file);
        SlotKey directory = Make("os.mkdir('d')", "d");
        HashSet<SlotKey> removed = Run("os.rmdir('d')");
        Assert.Superset(new HashSet<SlotKey> { Name("d"), _root }, removed);
        // Without fanotify nothing tells that the directory itself changed; nobody can reach it any more.
        Assert.Equal(state == WatchState.Fanotify, removed.Contains(directory));
    }

    [Theory]
    [InlineData(WatchState.Fanotify)]
    [InlineData(WatchState.Inotify)]
    public void Renaming(WatchState state)
    {
        Watch(state);
        SlotKey a = File("a");
        SlotKey b = File("b");
        SlotKey directory = Make("os.mkdir('d')", "d");
        ExpectSlots("os.rename('a', 'a2')", Name("a"), Name("a2"), _root, a);
        ExpectSlots("os.rename('a2', 'd/a')", Name("a2"), Name("d", "a"), _root, directory, a);
        ExpectSlots("exchange('d/a', 'b')", Name("d", "a"), Name("b"), _root, directory, a, b);
        ExpectSlots("os.rename('d/a', 'b')", Name("d", "a"), Name("b"), _root, directory, a, b);
        SlotKey moved = Make("os.mkdir('e')", "e");
        ExpectSlots("os.rename('e', 'd/e')", Name("e"), Name("d", "e"), _root, directory, moved);
    }

    [Theory]
    [InlineData(WatchState.Fanotify)]
    [InlineData(WatchState.Inotify)]
    public void Changing_a_file(WatchState state)
    {
        Watch(state);
        SlotKey file = File("a");
        string[] statements =
        [
            "write('a', b'x')",
            "os.truncate('a', 100)",
            "os.close(os.open('a', os.O_WRONLY|os.O_TRUNC))",
            "fd = os.open('a', os.O_WRONLY); os.posix_fallocate(fd, 0, 10); os.close(fd)",
            "os.chmod('a', 0o600)",
            "os.chown('a', 1, 2)",
            "os.utime('a', (1, 2))",
            "os.utime('a')",
            "os.setxattr('a', 'trusted.a', b'b')",
            "os.removexattr('a', 'trusted.a')",
        ];
        Assert.All(statements, statement => ExpectSlots(statement, file));
    }

    [Theory]
    [InlineData(WatchState.Fanotify)]
    [InlineData(WatchState.Inotify)]
    public void Changing_a_directory(WatchState state)
    {
        Watch(state);
        SlotKey directory = Make("os.mkdir('d')", "d");
        ExpectSlots("os.chmod('d', 0o700)", directory);
        ExpectSlots("os.setxattr('d', 'trusted.a', b'b')", directory);
        ExpectSlots("os.chmod('.', 0o711)", _root);
    }

    /// <summary>What guests do moves slots by its own scope, with begin and end; only inotify cannot tell who did it.</summary>
    [Theory]
    [InlineData(WatchState.Fanotify, false)]
    [InlineData(WatchState.Inotify, true)]
    public void What_the_daemon_does_itself(WatchState state, bool isTold)
    {
        Watch(state);
        _guest!.Create(NodeId.Root, "from-a-guest");
        Thread another = new(() => _guest.Create(NodeId.Root, "from-another"));
        another.Start();
        another.Join();
        HashSet<SlotKey> seen = Run("pass");
        Assert.Equal(isTold, seen.Contains(Name("from-a-guest")));
        Assert.Equal(isTold, seen.Contains(Name("from-another")));
        Assert.Equal(isTold, seen.Contains(_root));
    }

    /// <summary>Another inode than the one that the guest's change is thought to touch loses a name.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_name_that_a_program_gives_to_another_file_while_a_guest_removes_it(bool replaces)
    {
        Watch(WatchState.Fanotify);
        File("name");
        File("other");
        SlotKey exchanged = File("exchanged");
        Run("os.link('exchanged', 'second')");
        _identified = () => Run("os.rename('exchanged', 'name')");
        TestGuest.Expect(replaces ? _guest!.TryRename(NodeId.Root, "other", NodeId.Root, "name") : _guest!.TryUnlink(NodeId.Root, "name"));
        Assert.Contains(exchanged, Run("pass"));
    }

    /// <summary>What threads of another group do to the same file system is no change of the group's own.</summary>
    [Fact]
    public void What_the_daemon_does_for_another_group()
    {
        Watch(WatchState.Fanotify);
        SlotKey file = File("file");
        using PassthroughShare other = new(_share.Share.Options);
        Thread thread = new(() =>
        {
            using TestGuest guest = new(other.OpenSession());
            TestGuest.Expect(guest.TryLink(guest.Lookup("file").Node, NodeId.Root, "linked", out _));
            TestGuest.Expect(guest.TryUnlink(NodeId.Root, "file"));
        });
        thread.Start();
        thread.Join();
        Assert.Superset(new HashSet<SlotKey> { Name("linked"), Name("file"), _root, file }, Run("pass"));
    }

    [Theory]
    [InlineData(WatchState.Fanotify)]
    [InlineData(WatchState.Inotify)]
    public void What_is_mounted_and_unmounted_below(WatchState state)
    {
        Watch(state);
        string place = _share.Path("place");
        TemporaryMount mounted = new(place, "tmpfs", "tmpfs");
        _seen.WaitForMountsChanged(1);
        TemporaryMount bound = new(_share.Path("bound"), place, null);
        _seen.WaitForMountsChanged(2);
        bound.Dispose();
        _seen.WaitForMountsChanged(3);
        mounted.Dispose();
        _seen.WaitForMountsChanged(4);
        using TemporaryMount elsewhere = new(Path.Combine(_folder, "elsewhere"), "tmpfs", "tmpfs");
        using TemporaryMount again = new(place, "tmpfs", "tmpfs");
        _seen.WaitForMountsChanged(5);
    }

    [Theory]
    [InlineData(WatchState.Fanotify)]
    [InlineData(WatchState.Inotify)]
    public void Another_mount_is_watched_from_its_first_inode_on(WatchState state)
    {
        using TemporaryMount mount = new(_share.Path("mounted"), "tmpfs", "tmpfs");
        Watch(state);
        System.IO.File.WriteAllText(_share.Path("mounted/file"), "inside");
        SlotKey mounted = Known("mounted");
        SlotKey file = Known("mounted/file");
        Assert.Equal(state, _watcher!.State);
        ExpectSlots("write('mounted/file', b'x')", file);
        ExpectSlots("os.rename('mounted/file', 'mounted/f')", Name("mounted", "file"), Name("mounted", "f"), mounted, file);
        // With a mark, not with the watches that would take its place.
        _guest!.Create(Node("mounted"), "from-a-guest");
        Assert.Equal(state == WatchState.Inotify, Run("pass").Contains(mounted));
    }

    /// <summary>Nobody has cached anything there; elsewhere on the file system programs may do what they like.</summary>
    [Fact]
    public void What_no_guest_holds_moves_nothing()
    {
        Watch(WatchState.Fanotify);
        SlotKey directory = Make("os.mkdir('d')", "d");
        _host.Run("os.mkdir('d/unseen'); os.close(os.open('d/unseen/file', os.O_CREAT|os.O_WRONLY))");
        Assert.Equal([directory, Name("d", "unseen")], Run("pass").OrderBy(slot => slot == directory ? 0 : 1));
        Assert.Empty(
            Run(
                "write('d/unseen/file', b'y'); os.mkdir('d/unseen/e'); os.rename('d/unseen/file', 'd/unseen/f'); os.chmod('d/unseen', " +
                "0o700)"));
        _guest!.Files.Forget(Node("d"), ulong.MaxValue);
        Assert.Empty(Run("os.mkdir('d/other')"));
    }

    /// <summary>
    /// A guest is given an inode that nobody holds while a program changes it. Its answer is the new state, or the slot has moved
    /// since the request began.
    /// </summary>
    [Fact]
    public async Task A_change_of_what_is_just_being_looked_up_is_not_passed_over()
    {
        Watch(WatchState.Fanotify);
        SlotKey file = File("file");
        using WatchedTable table = new(_share.Share.Group, _share.Share.RootKey);
        using HostWatcher watcher = new(_share.Share, _share.Share.Group, NullLogger.Instance);
        const int Rounds = 300;
        int old = 0;
        int delay = 0;
        for (int round = 0; round < Rounds; round++)
        {
            _guest!.Files.Forget(new NodeId(file.Value), ulong.MaxValue);
            int mode = 0x180 + (round % 2);
            Task change = Task.Run(() => _host.Run($"os.chmod('file', {mode})"));
            Thread.SpinWait(delay);
            ulong before = table.View.Table.ReadSlot(file);
            Entry entry = _guest.Lookup("file");
            await change;
            Run("pass");
            bool isNew = (entry.Attributes.stx_mode & 0xFFF) == mode;
            old += isNew ? 0 : 1;
            // Now and then the change is first, now and then the answer: the lookup goes to where they are closest.
            delay = isNew ? delay * 7 / 8 : (delay * 9 / 8) + 100;
            Assert.True(
                isNew || SpinWait.SpinUntil(() => table.View.Table.ReadSlot(file) != before, TimeSpan.FromSeconds(5)),
                $"round {round}: what is old is believed");
        }

        Assert.InRange(old, 1, Rounds - 1);
    }

    [Fact]
    public void A_disk_file_system_is_watched() => ChangesInShare(o => o, "/tmp", WatchState.Fanotify);

    /// <summary>Handles are not used, so keys are made of attributes, which fanotify does not report.</summary>
    [Fact]
    public void A_file_system_without_handles_is_watched_by_inotify()
    {
        ChangesInShare(o => o with { InodeFileHandles = InodeFileHandles.Never }, "/tmp", WatchState.Inotify);
    }

    [Fact]
    public void An_inode_that_nobody_holds_any_more_has_no_watch()
    {
        Watch(WatchState.Inotify);
        SlotKey file = File("a");
        _guest!.Files.Forget(Node("a"), 2);
        Assert.DoesNotContain(file, Run("os.chmod('a', 0o600)"));
        Assert.Equal(file, SlotKey.Inode(Node("a").Value));
        ExpectSlots("os.chmod('a', 0o644)", file);
    }

    /// <summary>Its queue holds 16,384 events unless the administrator says otherwise.</summary>
    [Fact]
    public void Events_that_were_lost_are_told()
    {
        Watch(WatchState.Fanotify);
        int queueMax = int.Parse(
            System.IO.File.ReadAllText("/proc/sys/fs/fanotify/max_queued_events"), System.Globalization.CultureInfo.InvariantCulture);
        _seen.MayGoOn.Reset();
        _host.Run($"for i in range({queueMax} + 2000): os.mkdir(str(i))");
        Assert.Equal(0, _seen.Lost);
        _seen.MayGoOn.Set();
        _seen.WaitForLost();
        Assert.True(_log.WaitFor("events of the host were lost"));
        // And it goes on from there.
        Run("pass");
    }

    [Fact]
    public void Without_the_privilege_for_marks_inotify_is_used() => OnThreadOfItsOwn(() =>
    {
        Libc.GetCapabilities(out ulong effective, out ulong permitted, out ulong inheritable);
        Libc.SetCapabilities(effective & ~(1UL << ProcessFlags.CAP_SYS_ADMIN), permitted, inheritable);
        Watch(WatchState.Fanotify, expected: WatchState.Inotify);
        Assert.True(_log.WaitFor("noticed by inotify"));
        SlotKey file = File("a");
        ExpectSlots("os.chmod('a', 0o600)", file);
    });

    /// <summary>inotify watches what the daemon may read, and this one runs as another user.</summary>
    [Fact]
    public void An_inode_that_cannot_be_watched_makes_the_share_not_watched() => OnThreadOfItsOwn(() =>
    {
        Libc.SetFsUid(1000);
        using TestShare share = new(o => o with { InodeFileHandles = InodeFileHandles.Never }, _folder);
        using HostWatcher watcher = new(share.Share, _seen, _log, WatchState.Inotify);
        using TestGuest guest = new(share.Share.OpenSession());
        _host.Run($"os.close(os.open('{share.Path("secret")}', os.O_CREAT, 0o600))");
        Assert.Equal(WatchState.Inotify, watcher.State);
        guest.Lookup("secret");
        Assert.Equal(WatchState.None, watcher.State);
        Assert.True(_log.WaitFor("not noticed, or not all of them (a watch on an inode: EACCES)"));
    });

    /// <summary>Capabilities and file system ids are a thread's own, and go with it.</summary>
    private static void OnThreadOfItsOwn(Action test)
    {
        Exception? failure = null;
        Thread thread = new(() => failure = Record.Exception(test));
        thread.Start();
        thread.Join();
        Assert.Null(failure);
    }

    [Theory]
    [InlineData(WatchState.Fanotify)]
    [InlineData(WatchState.Inotify)]
    public void Events_cost_no_allocation(WatchState state)
    {
        AllocationMeter meter = new();
        using HostWatcher watcher = new(_share.Share, meter, NullLogger.Instance, state);
        _host.Run("for i in range(20000): os.chmod('.', 0o755); os.rename('marker', 'm'); os.rename('m', 'marker')");
        Assert.True(SpinWait.SpinUntil(() => meter.LeastBytes == 0, TimeSpan.FromSeconds(20)), $"{meter.LeastBytes} bytes");
    }

    /// <summary>
    /// What the watcher's thread allocates in a few calls, once its code has been compiled. The least counts: mounts that others
    /// make meanwhile cost the thread something, too.
    /// </summary>
    private sealed class AllocationMeter : IHostChanges
    {
        private const int WarmUpCalls = 20;
        private const int MeasuredCalls = 5;

        private long _before;
        private long _least = long.MaxValue;
        private int _calls;

        public long LeastBytes => Volatile.Read(ref _least);

        public void Changed(ReadOnlySpan<SlotKey> slots)
        {
            long allocated = GC.GetAllocatedBytesForCurrentThread();
            if (++_calls > WarmUpCalls && _calls % MeasuredCalls == 0)
            {
                Volatile.Write(ref _least, _calls > WarmUpCalls + MeasuredCalls ? Math.Min(_least, allocated - _before) : _least);
                _before = allocated;
            }
        }

        public void Lost()
        {
        }
    }

    [Fact]
    public void It_is_alive_while_its_thread_makes_turns()
    {
        Watch(WatchState.Fanotify);
        _seen.MayGoOn.Reset();
        _host.Run("os.mkdir('d')");
        Assert.True(SpinWait.SpinUntil(() => !_watcher!.IsAlive, TimeSpan.FromSeconds(20)));
        _seen.MayGoOn.Set();
        Assert.True(SpinWait.SpinUntil(() => _watcher!.IsAlive, TimeSpan.FromSeconds(20)));
    }

    private void ChangesInShare(Func<PassthroughOptions, PassthroughOptions> configure, string parent, WatchState state)
    {
        using TestShare share = new(configure, parent);
        using HostWatcher watcher = new(share.Share, _seen, NullLogger.Instance);
        using TestGuest guest = new(share.Share.OpenSession());
        using HostProgram host = new(share.Directory);
        Assert.Equal(state, watcher.State);
        host.Run("os.mkdir('d')");
        _seen.TakeUpTo(SlotKey.Name(share.Share.RootKey, "d"u8));
        SlotKey directory = SlotKey.Inode(guest.Lookup("d").Node.Value);
        host.Run("os.mkdir('d/e')");
        Assert.Contains(directory, _seen.TakeUpTo(SlotKey.Name(directory.Value, "e"u8)));
    }

    private void Watch(WatchState best, WatchState? expected = null)
    {
        _watcher = new HostWatcher(_share.Share, _seen, _log, best);
        Assert.Equal(expected ?? best, _watcher.State);
        Assert.True(_watcher.IsAlive);
        _guest = new TestGuest(_share.Share.OpenSession());
        SlotKey marker = SlotKey.Inode(Node(Marker).Value);
        if (_watcher.State == WatchState.Inotify)
        {
            // Setting its watch moved it.
            _seen.TakeUpTo(marker);
        }

        Run("pass");
    }

    /// <summary>A file that the guest holds.</summary>
    private SlotKey File(string name)
    {
        _host.Run($"os.close(os.open('{name}', os.O_CREAT|os.O_WRONLY)); write('{name}', b'0123456789')");
        return Known(name);
    }

    /// <summary>A directory that the guest holds.</summary>
    private SlotKey Make(string statement, string name)
    {
        ExpectSlots(statement, Name(name), _root);
        return Known(name);
    }

    /// <summary>Looks a path up, and waits until nothing more comes of that and of what was before.</summary>
    private SlotKey Known(string path)
    {
        SlotKey inode = SlotKey.Inode(Node(path).Value);
        Run("pass");
        return inode;
    }

    private NodeId Node(string path) => _guest!.Lookup(path).Node;

    private SlotKey Name(string name) => SlotKey.Name(_share.Share.RootKey, Encoding.UTF8.GetBytes(name));

    private SlotKey Name(string directory, string name) => SlotKey.Name(Node(directory).Value, Encoding.UTF8.GetBytes(name));

    private void ExpectSlots(string statement, params SlotKey[] slots) =>
        Assert.Equal(slots.Select(slot => slot.Value).Order(), Run(statement).Select(slot => slot.Value).Order());

    /// <summary>The slots that a statement of a host program moves.</summary>
    private HashSet<SlotKey> Run(string statement)
    {
        _host.Run(statement);
        _host.Run($"os.chmod('{Marker}', 0o755)");
        SlotKey marker = SlotKey.Inode(Node(Marker).Value);
        HashSet<SlotKey> moved = _seen.TakeUpTo(marker);
        moved.Remove(marker);
        return moved;
    }
}
