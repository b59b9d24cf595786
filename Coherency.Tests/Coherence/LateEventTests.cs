using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;
using Coherency.Core.Versioning;
using Coherency.Host.Coherence;
using Coherency.Host.Coherence.HostWatching;
using Coherency.Host.Server;
using Coherency.Tests.Passthrough;
using Microsoft.Extensions.Logging.Abstractions;

namespace Coherency.Tests.Coherence;

/// <summary>
/// Two shares of a file system have nothing in common but a file with a name in each. What a guest of one does to it, the other's watcher
/// notices as what a program of the host does, until the two groups become one. An event may be read only after that.
/// </summary>
[Trait("Category", "Root")]
public sealed class LateEventTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly string _folder = Directory.CreateTempSubdirectory("coherency-late-").FullName;
    private readonly TemporaryMount _fileSystem;
    private readonly TestShare _changing;
    private readonly TestShare _looking;
    private readonly WatchedTable _table;
    private readonly WatchedTable _tableOfChanging;

    public LateEventTests()
    {
        _fileSystem = new TemporaryMount(_folder, "tmpfs", "tmpfs");
        _changing = new TestShare(parent: _folder);
        _looking = new TestShare(parent: _folder);
        _table = new WatchedTable(_looking.Share.Group, _looking.Share.RootKey);
        _tableOfChanging = new WatchedTable(_changing.Share.Group, _changing.Share.RootKey);
    }

    public void Dispose()
    {
        _changing.Dispose();
        _looking.Dispose();
        _table.Dispose();
        _tableOfChanging.Dispose();
        _fileSystem.Dispose();
        Directory.Delete(_folder);
    }

    /// <summary>
    /// The slot does not tell, for the change is taken for one that it was moved for: so everything has to be asked for again.
    /// </summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_change_from_before_two_groups_became_one_is_seen_after(bool becomesOne)
    {
        _changing.WriteFile("file");
        ChildProcess.Shell($"ln {_changing.Path("file")} {_looking.Path("file")}; touch {_looking.Path("first")} {_looking.Path("last")}");
        using SlowChanges changes = new(_looking.Share.Group);
        using HostWatcher watcher = new(_looking.Share, changes, NullLogger.Instance);
        Assert.Equal(WatchState.Fanotify, watcher.State);
        TestGuest looker = _looking.OpenGuest(_table.View);
        SlotKey[] keys = [.. ((string[])["file", "first", "last"]).Select(name => SlotKey.Inode(looker.Lookup(name).Node.Value))];
        TestGuest changer = _changing.OpenGuest(_tableOfChanging.View);
        NodeId node = changer.Lookup("file").Node;
        Assert.Equal(keys[0], SlotKey.Inode(node.Value));

        changes.HoldAt(keys[1]);
        File.SetUnixFileMode(_looking.Path("first"), UnixFileMode.UserRead);
        Assert.True(changes.IsHeld.Wait(Patience));
        ulong before = _table.View.Table.ReadSlot(keys[0]);
        ulong epoch = _table.View.Table.Epoch;
        TestGuest.Expect(changer.TrySetAttributes(node, new AttributeChange { Valid = FuseSetAttrValid.Mode, Mode = 0x180 }, out _));
        Assert.True(!becomesOne || _changing.Share.Group.TryTakeIn(_looking.Share.Group));
        changes.GoOn();
        ulong last = _table.View.Table.ReadSlot(keys[2]);
        File.SetUnixFileMode(_looking.Path("last"), UnixFileMode.UserRead);
        Assert.True(SpinWait.SpinUntil(() => _table.View.Table.ReadSlot(keys[2]) != last, Patience));
        Assert.Equal(becomesOne, _table.View.Table.ReadSlot(keys[0]) == before);
        Assert.Equal(becomesOne, _table.View.Table.Epoch != epoch);
    }

    /// <summary>Passes on what the watcher tells, and has it wait once.</summary>
    private sealed class SlowChanges(IHostChanges group) : IHostChanges, IDisposable
    {
        private readonly ManualResetEventSlim _mayGoOn = new();
        private SlotKey? _heldAt;

        public ManualResetEventSlim IsHeld { get; } = new();

        public void HoldAt(SlotKey slot) => _heldAt = slot;

        public void GoOn() => _mayGoOn.Set();

        public void Noticed(in HostChange change) => group.Noticed(change);

        public void Changed(ReadOnlySpan<SlotKey> slots)
        {
            group.Changed(slots);
            if (_heldAt is { } held && slots.Contains(held))
            {
                _heldAt = null;
                IsHeld.Set();
                _mayGoOn.Wait();
            }
        }

        public void Lost() => group.Lost();

        public void MountsChanged() => group.MountsChanged();

        public void Dispose()
        {
            _mayGoOn.Set();
            _mayGoOn.Dispose();
            IsHeld.Dispose();
        }
    }
}
