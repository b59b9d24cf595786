using Coherency.Core.Versioning;
using Coherency.Core.Versioning.Abi;
using Coherency.Host.Coherence.Changes;

namespace Coherency.Host.Coherence;

/// <summary>
/// The view of a guest that reads a version table. It exists as long as the guest is served, so that a VMM can map its
/// memory at any time; changes of others move it only while the guest is attached.
/// </summary>
public sealed class TableView : ShareView, IDisposable
{
    private readonly ShareGroup _group;
    private readonly Lock _joining = new();
    private readonly Lock _state = new();
    private volatile bool _isAttached;
    private readonly long[] _epochMoves = new long[Enum.GetValues<EpochReason>().Length];
    private volatile bool _isFollowing;
    private int _detachments;

    /// <param name="table">Taken over.</param>
    public TableView(ShareGroup group, VersionTableWriter table)
    {
        _group = group;
        Table = table;
    }

    public VersionTableWriter Table { get; }

    /// <summary>The group whose changes move it.</summary>
    public ShareGroup Group => _group;

    /// <summary>The guest said that it consults the table: it may be told to cache for ever.</summary>
    public bool IsAttached => _isAttached;

    /// <summary>How long ago the reader could last see that the daemon lives; null while nobody reads.</summary>
    public TimeSpan? HeartbeatAge => _isAttached ? Table.HeartbeatAge : null;

    /// <summary>How often the epoch moved for this reason.</summary>
    public long EpochMoves(EpochReason reason) => Volatile.Read(ref _epochMoves[(int)reason]);

    /// <summary>
    /// Moves the table from now on, whether a guest is attached or not: so that the daemon itself can tell what has become stale.
    /// Of a guest that never attaches, nobody else reads it. False when a change that began earlier does not end.
    /// </summary>
    public bool TryFollow()
    {
        lock (_joining)
        {
            _isFollowing = _isFollowing || _group.TryJoin(this);
            return _isFollowing;
        }
    }

    /// <summary>
    /// Begins to move the table. Again is harmless. False when a change that began earlier does not end, or when somebody
    /// detached meanwhile: nothing has changed then.
    /// </summary>
    /// <param name="attach">What the reader compares with the table's header.</param>
    public bool TryAttach(out coherency_attach attach)
    {
        attach = new coherency_attach { layout = VersionTableConstants.Layout, instance_id = Table.InstanceId, root_key = Table.RootKey };
        // One at a time, or one that fails would take the view out of the group that another has just joined. Not under the lock
        // of Detach: joining waits for changes, and who resets the session must not wait for it.
        lock (_joining)
        {
            int detachments;
            lock (_state)
            {
                if (_isAttached)
                {
                    return true;
                }

                // A detach that is on its way has left the group by now; one that comes later shows in the number.
                detachments = _detachments;
            }

            return (_isFollowing || _group.TryJoin(this)) && TryBecomeAttached(detachments);
        }
    }

    /// <param name="detachments">How many there had been before the view joined.</param>
    private bool TryBecomeAttached(int detachments)
    {
        lock (_state)
        {
            if (detachments != _detachments)
            {
                LeaveUnlessFollowing();
                return false;
            }

            // What a reader cached before was not kept up to date.
            MoveEpoch(ChangeOperation.EpochAttach, EpochReason.Attach, "a guest attached");
            Table.Beat();
            _isAttached = true;
            return true;
        }
    }

    /// <summary>
    /// Ends that; harmless when it was not attached. A reader that goes on all the same finds everything stale, and no
    /// heartbeat any more.
    /// </summary>
    /// <returns>It was attached.</returns>
    public bool Detach()
    {
        lock (_state)
        {
            _detachments++;
            if (!_isAttached)
            {
                return false;
            }

            _isAttached = false;
            LeaveUnlessFollowing();
            MoveEpoch(ChangeOperation.EpochDetach, EpochReason.Detach, "a guest detached");
            return true;
        }
    }

    public override void Begin(ReadOnlySpan<SlotKey> slots) => Table.Begin(slots);

    public override void End(ReadOnlySpan<SlotKey> slots, ReadOnlySpan<TouchedObject> touched) => Table.End(slots);

    public override void Move(ReadOnlySpan<SlotKey> slots) => Table.Move(slots);

    public override void MoveAll() => MoveEpoch(EpochReason.Lost);

    public void Dispose()
    {
        Detach();
        _group.Leave(this);
        _group.WaitForEarlierChanges();
        Table.Dispose();
    }

    private void LeaveUnlessFollowing()
    {
        if (!_isFollowing)
        {
            _group.Leave(this);
        }
    }

    private void MoveEpoch(ChangeOperation operation, EpochReason reason, string why)
    {
        _group.Log?.BeginEpoch(operation, ChangeActor.Daemon(why), this);
        MoveEpoch(reason);
        _group.Log?.EndMoves();
    }

    private void MoveEpoch(EpochReason reason)
    {
        Table.MoveEpoch();
        Interlocked.Increment(ref _epochMoves[(int)reason]);
    }
}
