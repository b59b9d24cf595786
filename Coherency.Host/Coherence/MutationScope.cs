namespace Coherency.Host.Coherence;

/// <summary>A change under way, from <see cref="ShareMutations.Begin"/> to <see cref="Dispose"/>.</summary>
public readonly ref struct MutationScope
{
    private readonly IMutationObserver? _observer;
    private readonly int _session;
    private readonly ReadOnlySpan<SlotKey> _slots;

    internal MutationScope(IMutationObserver? observer, int session, ReadOnlySpan<SlotKey> slots)
    {
        _observer = observer;
        _session = session;
        _slots = slots;
    }

    public void Dispose() => _observer?.End(_session, _slots);
}
