namespace Coherency.Tests.Oracle;

/// <summary>Finds a short schedule that shows the same difference (delta debugging: Zeller, Hildebrandt, 2002).</summary>
/// <param name="run">Carries a schedule out in fresh directories.</param>
internal sealed class Shrinker(Func<Schedule, Task<Difference?>> run, int runsMax)
{
    private int _runs;

    public async Task<(Schedule Schedule, Difference Difference)> ShrinkAsync(Schedule schedule, Difference difference)
    {
        _best = (schedule with { Calls = [.. schedule.Calls.Take(difference.Step + 1)] }, difference);
        foreach (Actor actor in schedule.Actors)
        {
            await TryAsync(_best.Schedule with { Calls = [.. _best.Schedule.Calls.Where(call => call.Actor != actor.Number)] });
        }

        await DropCallsAsync();
        await SimplifyActorsAsync();
        await DropCallsAsync();
        return (_best.Schedule.Trim(), _best.Difference);
    }

    private (Schedule Schedule, Difference Difference) _best;

    /// <summary>Chunks from the end, half as large each time, until no single call can go.</summary>
    private async Task DropCallsAsync()
    {
        for (int size = _best.Schedule.Calls.Count / 2; size >= 1; size /= 2)
        {
            for (int start = _best.Schedule.Calls.Count - 1 - size; start > -size; start -= size)
            {
                int from = Math.Max(start, 0);
                int to = Math.Min(start + size, _best.Schedule.Calls.Count - 1);
                if (to > from)
                {
                    await TryAsync(_best.Schedule with { Calls = [.. _best.Schedule.Calls.Take(from), .. _best.Schedule.Calls.Skip(to)] });
                }
            }
        }
    }

    private async Task SimplifyActorsAsync()
    {
        foreach (Actor actor in _best.Schedule.Trim().Actors)
        {
            foreach (Client client in Enum.GetValues<Client>().TakeWhile(client => client < actor.Client))
            {
                await TryReplaceAsync(actor.Number, other => other with { Client = client });
            }

            await TryReplaceAsync(actor.Number, other => other with { User = 0, Group = 0, Groups = "0", Mask = "022" });
            // One process does what two did.
            foreach (Actor other in _best.Schedule.Trim().Actors.TakeWhile(other => other.Number != actor.Number))
            {
                await TryAsync(_best.Schedule with
                {
                    Calls = [.. _best.Schedule.Calls.Select(call => call.Actor == actor.Number
                        ? call with { Actor = other.Number }
                        : call)],
                });
            }
        }
    }

    private Task<bool> TryReplaceAsync(int number, Func<Actor, Actor> change) => TryAsync(_best.Schedule with
    {
        Actors = [.. _best.Schedule.Actors.Select(actor => actor.Number == number ? change(actor) : actor)],
    });

    private async Task<bool> TryAsync(Schedule candidate)
    {
        bool isSame = candidate.Calls.SequenceEqual(_best.Schedule.Calls) && candidate.Actors.SequenceEqual(_best.Schedule.Actors);
        if (isSame || candidate.Calls.Count == 0 || _runs >= runsMax)
        {
            return false;
        }

        _runs++;
        Difference? found = await run(candidate.Trim());
        if (!_best.Difference.IsLike(found))
        {
            return false;
        }

        _best = (candidate with { Calls = [.. candidate.Calls.Take(found!.Step + 1)] }, found);
        return true;
    }
}
