using Coherency.Core.Fuse;
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
    /// <summary>How long one request to attach waits; the guest asks again.</summary>
    private static readonly TimeSpan AttachPatience = TimeSpan.FromSeconds(1);

    private readonly ShareGroup _group;
    private readonly Lock _joining = new();
    private readonly Lock _state = new();
    private volatile bool _isAttached;
    private readonly long[] _epochMoves = new long[Enum.GetValues<EpochReason>().Length];
    private volatile bool _isFollowing;

    /// <summary>An attachment that waits for changes which began earlier; guarded by <see cref="_state"/>.</summary>
    private Task? _join;
    private int _detachments;

    /// <param name="table">Taken over.</param>
    public TableView(ShareGroup group, VersionTableWriter table)
    {
        _group = group;
        Table = table;
    }

    public VersionTableWriter Table { get; }

    /// <summary>The group whose changes move it.</summary>
    public ShareGroup Group => _group.Whole;

    /// <summary>The inode key of a node: its id on the wire, but for the root's.</summary>
    internal ulong KeyOf(NodeId node) => node == NodeId.Root ? Table.RootKey : node.Value;

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
    /// Begins to move the table. Again is harmless. False when a change that began earlier has not ended, or when somebody
    /// detached meanwhile: nothing has changed then, and it may be tried again.
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
            Task? join;
            lock (_state)
            {
                if (_isAttached)
                {
                    return true;
                }

                // A detach that is on its way has left the group by now; one that comes later shows in the number.
                detachments = _detachments;
                join = _join;
            }

            join ??= _isFollowing ? Task.CompletedTask : _group.Join(this);
            return join.Wait(AttachPatience) ? TryBecomeAttached(detachments) : TryAwait(join, detachments);
        }
    }

    /// <summary>Goes on joining until the guest asks again, unless it has detached.</summary>
    /// <returns>False: it is not attached.</returns>
    private bool TryAwait(Task join, int detachments)
    {
        lock (_state)
        {
            if (detachments == _detachments)
            {
                _join = join;
            }
            else
            {
                LeaveUnlessFollowing();
            }

            return false;
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

            _join = null;
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
            bool wasAttached = _isAttached;
            if (wasAttached || _join is not null)
            {
                _isAttached = false;
                _join = null;
                LeaveUnlessFollowing();
            }

            if (wasAttached)
            {
                MoveEpoch(ChangeOperation.EpochDetach, EpochReason.Detach, "a guest detached");
            }

            return wasAttached;
        }
    }

    /// <summary>The guest's virtual machine was stopped or goes on: what it has in memory may be from another time.</summary>
    /// <returns>It is attached.</returns>
    public bool Interrupt()
    {
        lock (_state)
        {
            if (_isAttached)
            {
                MoveEpoch(ChangeOperation.Epoch, EpochReason.Stop, "the virtual machine was stopped");
            }

            return _isAttached;
        }
    }

    public override void Begin(ReadOnlySpan<SlotKey> slots) => Table.Begin(slots);

    public override void End(ReadOnlySpan<SlotKey> slots, ReadOnlySpan<TouchedObject> touched) => Table.End(slots);

    public override void Move(ReadOnlySpan<SlotKey> slots) => Table.Move(slots);

    public override void MoveAll() => MoveEpoch(EpochReason.Lost);

    /// <summary>Takes part no more; what the table says is not believed from here on, for nobody moves it.</summary>
    public void Leave()
    {
        Detach();
        _group.Leave(this);
        _group.WaitForEarlierChanges();
        Table.MoveEpoch();
    }

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
        ChangeLog? log = _group.Log;
        log?.BeginEpoch(operation, ChangeActor.Daemon(why), this);
        MoveEpoch(reason);
        log?.EndMoves();
    }

    private void MoveEpoch(EpochReason reason)
    {
        Table.MoveEpoch();
        Interlocked.Increment(ref _epochMoves[(int)reason]);
    }
}
