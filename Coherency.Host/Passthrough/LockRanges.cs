using Coherency.Core.Linux;
using Coherency.Host.Server;

namespace Coherency.Host.Passthrough;

/// <summary>
/// The ranges of a file that one owner has locked, as the kernel keeps them for the descriptor that stands for it: in order, none
/// overlaps another, and those of one type that touch are one.
/// </summary>
internal sealed class LockRanges
{
    private readonly List<Range> _ranges = [];

    public int Count => _ranges.Count;

    /// <summary>How many there is memory for.</summary>
    public int Capacity => _ranges.Capacity;

    /// <summary>One of them is locked for writing.</summary>
    public bool AnyWrite
    {
        get
        {
            foreach (Range range in _ranges)
            {
                if (range.Type == LockFlags.F_WRLCK)
                {
                    return true;
                }
            }

            return false;
        }
    }

    public void Clear() => _ranges.Clear();

    /// <summary>Locks or unlocks a range, whatever was locked there.</summary>
    public void Set(in FileLock wanted)
    {
        int at = 0;
        while (at < _ranges.Count && _ranges[at].End < wanted.Start)
        {
            at++;
        }

        at = CutOut(at, wanted);
        if (wanted.Type != LockFlags.F_UNLCK)
        {
            _ranges.Insert(at, new Range(wanted.Start, wanted.End, wanted.Type));
            JoinWithNext(at);
            JoinWithNext(at - 1);
        }
    }

    /// <summary>Would another owner have to wait for this one?</summary>
    public bool StandInTheWayOf(in FileLock wanted)
    {
        foreach (Range range in _ranges)
        {
            bool overlaps = range.Start <= wanted.End && wanted.Start <= range.End;
            if (overlaps && (range.Type == LockFlags.F_WRLCK || wanted.Type == LockFlags.F_WRLCK))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Takes the same locks through another descriptor, which is only possible while all are for reading.</summary>
    public Errno TakeThrough(int fd)
    {
        foreach (Range range in _ranges)
        {
            flock request = new() { l_type = range.Type, l_start = range.Start };
            request.l_len = range.End == long.MaxValue ? 0 : range.End - range.Start + 1;
            Errno errno = Libc.FcntlLock(fd, LockFlags.F_OFD_SETLK, ref request).ToErrno();
            if (errno != Errno.None)
            {
                return errno;
            }
        }

        return Errno.None;
    }

    /// <summary>Removes a range; returns where in the order one that begins there belongs.</summary>
    /// <param name="at">Index of the first that does not end before it.</param>
    private int CutOut(int at, in FileLock wanted)
    {
        while (at < _ranges.Count && _ranges[at].Start <= wanted.End)
        {
            Range cut = _ranges[at];
            _ranges.RemoveAt(at);
            if (cut.End > wanted.End)
            {
                _ranges.Insert(at, cut with { Start = wanted.End + 1 });
            }

            if (cut.Start < wanted.Start)
            {
                _ranges.Insert(at, cut with { End = wanted.Start - 1 });
                at++;
            }

            if (cut.End > wanted.End)
            {
                break;
            }
        }

        return at;
    }

    private void JoinWithNext(int at)
    {
        if (at >= 0 && at + 1 < _ranges.Count && _ranges[at].Type == _ranges[at + 1].Type && _ranges[at].End + 1 == _ranges[at + 1].Start)
        {
            _ranges[at] = _ranges[at] with { End = _ranges[at + 1].End };
            _ranges.RemoveAt(at + 1);
        }
    }

    /// <param name="End">The last byte.</param>
    private readonly record struct Range(long Start, long End, short Type);
}
