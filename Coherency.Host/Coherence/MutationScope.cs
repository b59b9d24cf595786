using System.Runtime.CompilerServices;
using Coherency.Core.Versioning;
using Coherency.Host.Coherence.Changes;

namespace Coherency.Host.Coherence;

/// <summary>A change under way, from <see cref="ShareGroup.Begin"/> to <see cref="Dispose"/>, on one thread.</summary>
public ref struct MutationScope
{
    /// <summary>A rename touches the most: two names, their directories, what is moved and what is replaced.</summary>
    public const int TouchedMax = 6;

    private readonly ChangesUnderWay? _underWay;
    private readonly int _ticket;
    private readonly ShareView[] _views;
    private readonly ShareView? _exempt;
    private readonly ChangeLog? _log;
    private readonly ChangeOrigin _origin;
    private readonly ReadOnlySpan<TouchedObject> _touched;
    private readonly TouchedInodes _inodes;
    private readonly TouchedInodes? _names;
    private SlotBuffer _slots;

    internal MutationScope(
        ChangesUnderWay underWay, int ticket, ShareView[] views, ShareView? exempt, ReadOnlySpan<TouchedObject> touched,
        TouchedInodes inodes, TouchedInodes? names, ChangeLog? log, ChangeOrigin origin)
    {
        _underWay = underWay;
        _ticket = ticket;
        _views = views;
        _exempt = exempt;
        _log = log;
        _origin = origin;
        _touched = touched;
        _inodes = inodes;
        _names = names;
        for (int i = 0; i < touched.Length; i++)
        {
            _slots[i] = touched[i].Slot;
            if (!touched[i].IsName)
            {
                inodes.Begin(touched[i].InodeKey);
            }
            else
            {
                names?.Begin(touched[i].Slot.Value);
            }
        }

        foreach (ShareView view in _views)
        {
            if (view != _exempt)
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

        foreach (ref readonly TouchedObject touched in _touched)
        {
            if (!touched.IsName)
            {
                _inodes.End(touched.InodeKey);
            }
            else
            {
                _names?.End(touched.Slot.Value);
            }
        }

        // Before the slots move: whoever finds one moved finds out by what.
        _log?.BeginMoves(_origin.Operation, _origin.Actor ?? _exempt, _exempt, _touched);
        foreach (ShareView view in _views)
        {
            if (view != _exempt)
            {
                view.End(_slots[.._touched.Length], _touched);
                MovedSlots.CountOfThread(_touched.Length);
            }
        }

        _log?.EndMoves();
        _exempt?.EndOwn(_touched);
        _underWay.Exit(_ticket);
    }

    [InlineArray(TouchedMax)]
    private struct SlotBuffer
    {
        private SlotKey _first;
    }
}
