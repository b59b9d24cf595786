using Coherency.Core.Versioning;
using Coherency.Core.Versioning.Abi;

namespace Coherency.Host.Coherence;

/// <summary>
/// The view of a guest that reads a version table. It exists as long as the guest is served, so that a VMM can map its
/// memory at any time; changes of others move it only while the guest is attached.
/// </summary>
public sealed class TableView : ShareView, IDisposable
{
    private readonly ShareGroup _group;
    private readonly Lock _attaching = new();
    private volatile bool _isAttached;

    /// <param name="table">Taken over.</param>
    public TableView(ShareGroup group, VersionTableWriter table)
    {
        _group = group;
        Table = table;
    }

    public VersionTableWriter Table { get; }

    /// <summary>The guest said that it consults the table: it may be told to cache for ever.</summary>
    public bool IsAttached => _isAttached;

    /// <summary>Begins to move the table; answers what the reader compares with its header. Again is harmless.</summary>
    public coherency_attach Attach()
    {
        lock (_attaching)
        {
            if (!_isAttached)
            {
                _group.Join(this);
                Table.Beat();
                _isAttached = true;
            }
        }

        return new coherency_attach { layout = VersionTableConstants.Layout, instance_id = Table.InstanceId, root_key = Table.RootKey };
    }

    /// <summary>
    /// Ends that; harmless when it was not attached. A reader that goes on all the same finds everything stale, and no
    /// heartbeat any more.
    /// </summary>
    public void Detach()
    {
        lock (_attaching)
        {
            if (_isAttached)
            {
                _isAttached = false;
                _group.Leave(this);
                Table.MoveEpoch();
            }
        }
    }

    public override void Begin(ReadOnlySpan<SlotKey> slots) => Table.Begin(slots);

    public override void End(ReadOnlySpan<SlotKey> slots, ReadOnlySpan<TouchedObject> touched) => Table.End(slots);

    public override void Move(ReadOnlySpan<SlotKey> slots) => Table.Move(slots);

    public override void MoveAll() => Table.MoveEpoch();

    public void Dispose()
    {
        Detach();
        _group.WaitForEarlierChanges();
        Table.Dispose();
    }
}
