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

    public NameLockScope Enter(SlotKey name) => Enter(name, name);

    /// <summary>Both names at once; always the lower lock first, so that two renames never wait for each other.</summary>
    public NameLockScope Enter(SlotKey a, SlotKey b)
    {
        int first = (int)(Math.Min(a.Value % Count, b.Value % Count));
        int second = (int)(Math.Max(a.Value % Count, b.Value % Count));
        return new NameLockScope(_locks[first], first == second ? null : _locks[second]);
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

    public NameLockScope(Lock first, Lock? second)
    {
        _first = first;
        _second = second;
        first.Enter();
        second?.Enter();
    }

    public void Dispose()
    {
        _second?.Exit();
        _first.Exit();
    }
}
