using System.Runtime.CompilerServices;
using Coherency.Daemon.Hosting;
using Coherency.Host.Coherence.Holdings;

namespace Coherency.Daemon.Reports;

/// <summary>How a guest's table is doing.</summary>
/// <param name="Heat">Versions summed up over runs of slots of equal length.</param>
/// <param name="HeldEntries">What the guest may hold; 0 when that is not recorded.</param>
/// <param name="OccupiedSlots">Slots that something of that hashes to.</param>
/// <param name="ExpectedFalseStalePerSecond">Entries that share a slot with what moves, at the present rate.</param>
internal sealed record TableReport(TableRate Rate, ulong[] Heat, long HeldEntries, long OccupiedSlots, double ExpectedFalseStalePerSecond);

/// <summary>Looks at the tables of the guests. Thread-safe.</summary>
internal sealed class TableReports(GuestServer server, ScanGate scans) : IDisposable
{
    /// <summary>Of a guest that came later from the first look on; of one that has gone nothing is kept.</summary>
    private readonly ConditionalWeakTable<ServedGuest, TableMoves> _moves = Begin(server, scans);

    /// <param name="guest">One that has a table.</param>
    /// <param name="buckets">Runs of slots; 0 for no heat.</param>
    public async Task<TableReport> LookAsync(ServedGuest guest, int buckets, CancellationToken cancellation)
    {
        ulong[] heat = new ulong[buckets];
        TableRate rate = await _moves.GetValue(guest, one => new TableMoves(one.Table!.Table, scans)).LookAsync(heat, cancellation)
            .ConfigureAwait(false);
        if (guest.Held is not { } held)
        {
            return new TableReport(rate, heat, 0, 0, 0);
        }

        (long entries, long occupied) = await scans.RunAsync(
            () => (HoldingsQuery.CountHeld(held), HoldingsQuery.CountOccupiedSlots(held)), cancellation).ConfigureAwait(false);
        // A move hits any slot with the same probability, and what hashes to a slot that moves is stale.
        return new TableReport(rate, heat, entries, occupied, rate.MovesPerSecond * entries / guest.Table!.Table.SlotCount);
    }

    public void Dispose()
    {
        foreach ((_, TableMoves moves) in _moves)
        {
            moves.Dispose();
        }
    }

    private static ConditionalWeakTable<ServedGuest, TableMoves> Begin(GuestServer server, ScanGate scans)
    {
        ConditionalWeakTable<ServedGuest, TableMoves> moves = [];
        foreach (ServedGuest guest in server.Guests.Where(guest => guest.Table is not null))
        {
            moves.Add(guest, new TableMoves(guest.Table!.Table, scans));
        }

        return moves;
    }
}
