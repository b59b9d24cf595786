using Coherency.Core.Versioning;
using Coherency.Guest.Coherence;

namespace Coherency.Tests.Guest;

/// <summary>What a cache may believe when the session itself changes things.</summary>
public sealed class TableWatchTests : IDisposable
{
    private static readonly SlotKey Name = SlotKey.Name(1, "name"u8);
    private static readonly SlotKey Elsewhere = SlotKey.Inode(12345);

    private readonly VersionTableWriter _daemon = VersionTableWriter.CreateAnonymous(new VersionTableDescription("tag", 1, 1024, 60_000));
    private readonly VersionTableReader _table;
    private readonly TableWatch _watch;

    public TableWatchTests()
    {
        _table = VersionTableReader.Open($"/proc/self/fd/{_daemon.Fd}");
        _watch = new TableWatch(_table);
    }

    public void Dispose()
    {
        _watch.Dispose();
        _table.Dispose();
        _daemon.Dispose();
    }

    [Fact]
    public void An_own_change_is_told_by_the_session_itself()
    {
        WatchSample before = _watch.Sample(Name);
        ulong mutations = _watch.Mutations;
        using (_watch.BeginOwnChange([Name]))
        {
            Assert.False(_watch.IsCurrent(Name, before));
            Assert.False(_watch.Sample(Name).Counts);
            Assert.False(_watch.SampleAnswered(Elsewhere, mutations).Counts);
        }

        Assert.False(_watch.IsCurrent(Name, before));
        Assert.True(_watch.IsCurrent(Name, _watch.Sample(Name)));
    }

    /// <summary>The daemon told of the change of the name, but of nothing that the own change then did to another inode.</summary>
    [Fact]
    public void When_another_guest_changed_the_name_of_an_own_change_everything_is_given_up()
    {
        WatchSample name = _watch.Sample(Name);
        WatchSample elsewhere = _watch.Sample(Elsewhere);
        _watch.ConfirmOwnChange(Name, name);
        Assert.True(_watch.IsCurrent(Elsewhere, elsewhere));

        _daemon.Begin([Name]);
        _daemon.End([Name]);
        ulong mutations = _watch.Mutations;
        _watch.ConfirmOwnChange(Name, name);
        Assert.False(_watch.IsCurrent(Elsewhere, elsewhere));
        Assert.False(_watch.SampleAnswered(Elsewhere, mutations).Counts);
        Assert.True(_watch.IsCurrent(Elsewhere, _watch.Sample(Elsewhere)));
    }
}
