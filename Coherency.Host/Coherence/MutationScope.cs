using System.Runtime.CompilerServices;
using Coherency.Core.Versioning;

namespace Coherency.Host.Coherence;

/// <summary>A change under way, from <see cref="ShareGroup.Begin"/> to <see cref="Dispose"/>, on one thread.</summary>
public ref struct MutationScope
{
    /// <summary>A rename touches the most: two names, their directories, what is moved and what is replaced.</summary>
    public const int TouchedMax = 6;

    private readonly ChangesUnderWay? _underWay;
    private readonly int _ticket;
    private readonly ShareView[] _views;
    private readonly ShareView? _actor;
    private readonly ReadOnlySpan<TouchedObject> _touched;
    private SlotBuffer _slots;

    internal MutationScope(ChangesUnderWay underWay, int ticket, ShareView[] views, ShareView? actor, ReadOnlySpan<TouchedObject> touched)
    {
        _underWay = underWay;
        _ticket = ticket;
        _views = views;
        _actor = actor;
        _touched = touched;
        for (int i = 0; i < touched.Length; i++)
        {
            _slots[i] = touched[i].Slot;
        }

        foreach (ShareView view in _views)
        {
            if (view != _actor)
            {
                view.Begin(_slots[..touched.Length]);
            }
        }
    }

    public void Dispose()
    {
        if (_underWay is null)
        {
            return;
        }

        foreach (ShareView view in _views)
        {
            if (view != _actor)
            {
                view.End(_slots[.._touched.Length], _touched);
                MovedSlots.CountOfThread(_touched.Length);
            }
        }

        _actor?.EndOwn(_touched);
        _underWay.Exit(_ticket);
    }

    [InlineArray(TouchedMax)]
    private struct SlotBuffer
    {
        private SlotKey _first;
    }
}
