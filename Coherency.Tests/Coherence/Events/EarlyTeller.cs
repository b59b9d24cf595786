using System.Text;
using Coherency.Core.Versioning;
using Coherency.Core.Versioning.Abi;
using Coherency.Host.Coherence;
using Coherency.Host.Coherence.Changes;

namespace Coherency.Tests.Coherence.Events;

/// <summary>
/// What a daemon would be that tells of changes before it moves slots: a view in front of all others, which tells, when it is about to be
/// told of a change, and has the others wait until that was heard.
/// </summary>
internal sealed class EarlyTeller : ShareView, IDisposable
{
    private readonly ShareGroup _group;
    private readonly ulong _rootKey;
    private readonly byte[] _file;
    private readonly ManualResetEventSlim _heard = new();
    private int _tells;
    private volatile bool _isTelling;

    /// <param name="file">In the root: what changes.</param>
    public EarlyTeller(ShareGroup group, ulong rootKey, string file)
    {
        _group = group;
        _rootKey = rootKey;
        _file = Encoding.UTF8.GetBytes(file);
        Assert.True(group.TryJoin(this));
    }

    /// <summary>The next change is told early.</summary>
    public void TellNext() => Volatile.Write(ref _tells, 1);

    /// <summary>Something was heard; false if nothing is told here now. Changes may be told twice.</summary>
    public bool Heard()
    {
        bool isTelling = _isTelling;
        if (isTelling)
        {
            _isTelling = false;
            _heard.Set();
        }

        return isTelling;
    }

    public override void Begin(ReadOnlySpan<SlotKey> slots) => Tell();

    public override void End(ReadOnlySpan<SlotKey> slots, ReadOnlySpan<TouchedObject> touched)
    {
    }

    public override void Move(ReadOnlySpan<SlotKey> slots) => Tell();

    public override void MoveAll()
    {
    }

    public void Dispose()
    {
        _group.Leave(this);
        _heard.Dispose();
    }

    private void Tell()
    {
        if (Interlocked.Exchange(ref _tells, 0) == 1)
        {
            _heard.Reset();
            _isTelling = true;
            _group.Events.Raise(null, new FileEvent { Directory = _rootKey, Name = _file, Kinds = FileEventKinds.Modify });
            _heard.Wait(EventBed.Patience);
        }
    }
}
