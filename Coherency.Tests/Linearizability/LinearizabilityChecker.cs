using System.Numerics;

namespace Coherency.Tests.Linearizability;

/// <summary>
/// Decides whether the operations on one object can be put in an order in which each of them has the result that it had, and
/// in which whatever had returned before another was called comes first. Sound and complete: it follows every order that can
/// matter, going through the calls and returns in time (Lowe, "Testing for linearizability", 2017). An operation is put in
/// order as late as can be: when it returns, or when one that returns needs it before. Between two events only a few calls are
/// open, so a history of n operations takes some n steps, however long it is; only calls open at once cost exponentially.
/// </summary>
/// <remarks>
/// Objects can be judged one by one: if there is an order for each, there is one for all (Herlihy and Wing, 1990), as long as
/// an operation is on one object. What a stat or a listing says of several is taken for as many reads of the same duration.
/// </remarks>
internal sealed class LinearizabilityChecker
{
    /// <summary>Calls that may be open at once: a bit each. Beyond, the number of threads is wrong.</summary>
    private const int OpenMax = 64;

    /// <summary>So many writes are shown that led to the state before a violation.</summary>
    private const int WritesBeforeMax = 3;

    private readonly Transition?[] _open = new Transition?[OpenMax];
    private readonly HashSet<Configuration> _visited = [];
    private readonly Stack<Configuration> _unexplored = [];
    private HashSet<Configuration> _possible = [];
    private HashSet<Configuration> _next = [];
    private ulong _openMask;

    private LinearizabilityChecker(ObjectState initial) => _possible.Add(new Configuration(initial, 0));

    /// <summary>One way that things may have gone so far.</summary>
    /// <param name="Done">Of the open calls those that are in the order already.</param>
    private readonly record struct Configuration(ObjectState State, ulong Done);

    /// <summary>What the checker stumbled over.</summary>
    /// <param name="Known">The state at a moment when only one was possible and no call open.</param>
    /// <param name="Since">Steps called after that moment, up to the return of the last.</param>
    /// <param name="Last">Its result fits nowhere.</param>
    private sealed record Contradiction(ObjectState Known, IReadOnlyList<Step> Since, Step Last);

    /// <summary>Null when there is such an order; else the few steps that have none.</summary>
    /// <param name="steps">All of one object, in any order.</param>
    public static Violation? FindViolation(ObjectState initial, IEnumerable<Step> steps)
    {
        Step[] byStart = [.. steps.OrderBy(step => step.Operation.Start)];
        if (Find(initial, byStart) is not { } found)
        {
            return null;
        }

        Contradiction reduced = Reduce(found);
        long start = reduced.Since.Min(step => step.Operation.Start);
        IEnumerable<Step> writesBefore = byStart.Where(step => !step.Transition.IsRead && step.Operation.End < start);
        return new Violation(
            [.. writesBefore.OrderBy(step => step.Operation.End).TakeLast(WritesBeforeMax)], reduced.Known, reduced.Since, reduced.Last);
    }

    /// <summary>Leaves out, one by one, reads without which there is still no order. Writes stay: each may explain something.</summary>
    private static Contradiction Reduce(Contradiction found)
    {
        for (int i = found.Since.Count - 1; i >= 0; i--)
        {
            if (i < found.Since.Count && found.Since[i].Transition.IsRead
                && Find(found.Known, [.. found.Since.Where((_, index) => index != i)]) is { } smaller)
            {
                found = smaller;
            }
        }

        return found;
    }

    private static Contradiction? Find(ObjectState initial, Step[] byStart)
    {
        LinearizabilityChecker checker = new(initial);
        int[] byEnd = [.. Enumerable.Range(0, byStart.Length).OrderBy(index => byStart[index].Operation.End)];
        int[] places = new int[byStart.Length];
        ObjectState known = initial;
        int knownAt = 0;
        int called = 0;
        foreach (int returning in byEnd)
        {
            // Of a call and a return at the same tick nobody knows which was first: they count as overlapping.
            while (called < byStart.Length && byStart[called].Operation.Start <= byStart[returning].Operation.End)
            {
                places[called] = checker.Call(byStart[called].Transition);
                called++;
            }

            if (!checker.Return(places[returning]))
            {
                return new Contradiction(known, [.. byStart.Take(called).Skip(knownAt)], byStart[returning]);
            }

            if (checker._openMask == 0 && checker._possible.Count == 1)
            {
                known = checker._possible.First().State;
                knownAt = called;
            }
        }

        return null;
    }

    private int Call(Transition transition)
    {
        int place = BitOperations.TrailingZeroCount(~_openMask);
        if (place >= OpenMax)
        {
            throw new InvalidOperationException($"more than {OpenMax} calls are open at once");
        }

        _open[place] = transition;
        _openMask |= 1UL << place;
        return place;
    }

    /// <summary>Keeps the possibilities in which the call is in the order by now; false when there is none.</summary>
    private bool Return(int place)
    {
        ulong returning = 1UL << place;
        _next.Clear();
        _visited.Clear();
        foreach (Configuration configuration in _possible)
        {
            Explore(configuration);
        }

        while (_unexplored.TryPop(out Configuration configuration))
        {
            if ((configuration.Done & returning) != 0)
            {
                // What else could come now can as well come later.
                _next.Add(configuration with { Done = configuration.Done & ~returning });
                continue;
            }

            for (ulong rest = _openMask & ~configuration.Done; rest != 0; rest &= rest - 1)
            {
                int candidate = BitOperations.TrailingZeroCount(rest);
                if (_open[candidate]!.TryApply(configuration.State, out ObjectState after))
                {
                    Explore(new Configuration(after, configuration.Done | (1UL << candidate)));
                }
            }
        }

        (_possible, _next) = (_next, _possible);
        _openMask &= ~returning;
        return _possible.Count > 0;
    }

    private void Explore(Configuration configuration)
    {
        Configuration settled = TakeReads(configuration);
        if (_visited.Add(settled))
        {
            _unexplored.Push(settled);
        }
    }

    /// <summary>Open reads that fit now: they change nothing, so that putting them here forecloses nothing.</summary>
    private Configuration TakeReads(Configuration configuration)
    {
        ulong done = configuration.Done;
        for (ulong rest = _openMask & ~done; rest != 0; rest &= rest - 1)
        {
            int candidate = BitOperations.TrailingZeroCount(rest);
            Transition transition = _open[candidate]!;
            if (transition.IsRead && transition.TryApply(configuration.State, out ObjectState after) && after == configuration.State)
            {
                done |= 1UL << candidate;
            }
        }

        return configuration with { Done = done };
    }
}
