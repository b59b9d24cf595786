namespace Coherency.Bench.Guests;

/// <summary>
/// Lets somebody else change what a guest has just looked at, and has the guest look again at once. An answer that is not the
/// present state is stale.
/// </summary>
internal sealed class StalenessProbe(int looks)
{
    private const string Folder = "stale";

    // Prints all that a program can tell of a name: its size and mode, and what it holds. Opening a file makes some clients ask
    // anew, so that what they would have answered from their caches must be asked for first.
    private const string Look = "stat -c '%s %a' $n 2>/dev/null || echo none; cat $n 2>/dev/null || echo none";

    private static readonly Change[] Changes =
    [
        new("content", "echo one >$n; chmod 644 $n", "echo twenty-two >$n"),
        new("mode", "echo one >$n; chmod 644 $n", "chmod 600 $n"),
        new("created", ":", "echo one >$n; chmod 644 $n"),
        new("removed", "echo one >$n; chmod 644 $n", "rm $n"),
        new("replaced", "echo one >$n; chmod 644 $n; echo other >$n.new; chmod 600 $n.new", "mv $n.new $n"),
    ];

    /// <summary>Changes by another guest, if there can be one, and by a program of the host, if it can reach the tree.</summary>
    public async Task<IReadOnlyList<StalenessResult>> TryAsync(GuestBed bed)
    {
        List<StalenessResult> results = [];
        if (bed.IsShared)
        {
            GuestMachine second = await bed.BootSecondAsync();
            results.Add(await TryAsync(bed, "another guest", second.ExpectAsync));
        }

        if (bed.HostTree is { } tree)
            results.Add(await TryAsync(bed, "the host", command => Task.FromResult(ChildProcess.Shell(command, tree))));
        return results;
    }

    private async Task<StalenessResult> TryAsync(GuestBed bed, string writer, Func<string, Task<string>> write)
    {
        int stale = 0;
        await write($"rm -rf {Folder}; mkdir {Folder}");
        // A name of its own for each look, which no earlier one can have left in a cache, and after the folder is known.
        await bed.First.RemountAsync();
        for (int i = 0; i < looks; i++)
        {
            foreach (Change change in Changes)
            {
                string name = $"{Folder}/{change.Kind}-{i}";
                string look = $"n={name}; {Look}";
                await write($"n={name}; {change.Before}");
                await bed.First.RemountAsync();
                await bed.First.ExpectAsync(look);
                // The state as the writer sees it, in the same conversation: no cache's time may pass.
                string truth = await write($"n={name}; {change.After}; {look}");
                string seen = await bed.First.ExpectAsync(look);
                stale += seen == truth ? 0 : 1;
            }
        }

        return new StalenessResult(bed.Name, writer, looks * Changes.Length, stale);
    }

    /// <param name="Before">Makes what the guest looks at first; $n is the name.</param>
    /// <param name="After">Changes it.</param>
    private sealed record Change(string Kind, string Before, string After);
}
