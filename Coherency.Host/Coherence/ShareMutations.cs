namespace Coherency.Host.Coherence;

/// <summary>
/// The one place that every change to a share passes: a file system operation opens a scope with the slots it may touch
/// before its system calls and disposes it before it returns. With nobody observing, that costs a null check.
/// </summary>
public sealed class ShareMutations
{
    private volatile IMutationObserver? _observer;

    /// <summary>Set before sessions are opened: a scope that is open already keeps the observer it began with.</summary>
    public IMutationObserver? Observer
    {
        get => _observer;
        set => _observer = value;
    }

    /// <param name="slots">Must live as long as the scope.</param>
    public MutationScope Begin(int session, ReadOnlySpan<SlotKey> slots)
    {
        IMutationObserver? observer = _observer;
        observer?.Begin(session, slots);
        return new MutationScope(observer, session, slots);
    }
}
