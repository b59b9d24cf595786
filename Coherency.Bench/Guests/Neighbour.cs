namespace Coherency.Bench.Guests;

/// <summary>
/// A second guest that works in the same tree: it makes, writes, renames and removes files in a directory of the repository
/// that git ignores, and touches files that the measured guest looks at, without changing what it finds there.
/// </summary>
internal sealed class Neighbour(GuestMachine guest, BackgroundCommand command) : IAsyncDisposable
{
    private static readonly TimeSpan EndTimeout = TimeSpan.FromMinutes(1);

    // One round is some twenty changes; the pause leaves the processor to the guest that is measured. Reading from a fifo
    // that nobody writes to is a pause that starts no process.
    private const string Loop =
        """
        mkdir -p repo/busy; i=0; exec 9<>/run/pause
        while [ ! -e /run/stop ]; do
            for n in 0 1 2 3 4; do
                echo "$i" >repo/busy/new-$n; echo more >>repo/busy/new-$n
                mv repo/busy/new-$n repo/busy/old-$n; rm repo/busy/old-$n
            done
            chmod 644 repo/folder-000/part-00/file-0000$((i % 10 + 10)).txt project/unit$((i % 10)).c
            i=$((i + 1)); read -t 0.2 -u 9
        done
        rm -rf repo/busy
        """;

    public static async Task<Neighbour> StartAsync(GuestMachine guest)
    {
        await guest.ExpectAsync("rm -f /run/stop; test -p /run/pause || mkfifo /run/pause");
        return new Neighbour(guest, await guest.Machine.StartAsync($"cd {GuestMachine.MountPoint}\n{Loop}"));
    }

    public async ValueTask DisposeAsync()
    {
        await guest.ExpectAsync(": >/run/stop");
        await command.CompletionAsync(EndTimeout);
    }
}
