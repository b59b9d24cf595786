using Coherency.Core.Versioning;

namespace Coherency.Host.Coherence;

/// <summary>
/// Keeps changes of the same name apart: which inode a name stands for is asked before it is removed or replaced, and must
/// still be true then, or the wrong slots would be touched. Names share locks by their hash.
/// </summary>
internal sealed class NameLocks
{
    private const int Count = 256;

    private readonly Lock[] _locks = CreateLocks();

    /// <summary>Whose locks these have become.</summary>
    private volatile NameLocks? _takenFrom;

    public NameLockScope Enter(SlotKey name) => Enter(name, name);

    /// <summary>Both names at once; always the lower lock first, so that two renames never wait for each other.</summary>
    public NameLockScope Enter(SlotKey a, SlotKey b)
    {
        int first = (int)(Math.Min(a.Value % Count, b.Value % Count));
        int second = (int)(Math.Max(a.Value % Count, b.Value % Count));
        return new NameLockScope(EnterAt(first), first == second ? null : EnterAt(second));
    }

    /// <summary>
    /// Makes these locks those of another group, one after the other while they are used: who has one keeps it until then, and who waits
    /// for it gets the other one. False when one is not given back; that changes nothing but that some are another group's, too.
    /// </summary>
    /// <param name="patience">For all of them together.</param>
    public bool TryTakeOver(NameLocks other, TimeSpan patience)
    {
        long end = Environment.TickCount64 + (long)patience.TotalMilliseconds;
        for (int place = 0; place < Count; place++)
        {
            Lock old = _locks[place];
            if (!old.TryEnter((int)Math.Max(0, end - Environment.TickCount64)))
            {
                return false;
            }

            Volatile.Write(ref _locks[place], other._locks[place]);
            old.Exit();
        }

        _takenFrom = other;
        return true;
    }

    private Lock EnterAt(int place)
    {
        while (true)
        {
            NameLocks present = this;
            while (present._takenFrom is { } next)
            {
                present = next;
            }

            Lock entered = Volatile.Read(ref present._locks[place]);
            entered.Enter();
            if (Volatile.Read(ref present._locks[place]) == entered && present._takenFrom is null)
            {
                return entered;
            }

            entered.Exit();
        }
    }

    private static Lock[] CreateLocks()
    {
        Lock[] locks = new Lock[Count];
        for (int i = 0; i < Count; i++)
        {
            locks[i] = new Lock();
        }

        return locks;
    }
}

internal readonly ref struct NameLockScope
{
    private readonly Lock _first;
    private readonly Lock? _second;

    /// <summary>Of locks that have been entered.</summary>
    public NameLockScope(Lock first, Lock? second)
    {
        _first = first;
        _second = second;
    }

    public void Dispose()
    {
        _second?.Exit();
        _first.Exit();
    }
}
