using System.Numerics;
using Coherency.Core.Fuse;
using Coherency.Core.Versioning;
using Coherency.Host.Coherence.Changes;

namespace Coherency.Host.Coherence.Holdings;

/// <summary>
/// Answers which guest holds what that is no longer true, since when, and who changed it. Requests of guests wait for it some
/// 30 microseconds at a time. Thread-safe.
/// </summary>
public sealed partial class HoldingsQuery
{
    private readonly HeldGuest[] _guests;

    /// <param name="guests">All whose holdings are recorded.</param>
    public HoldingsQuery(IEnumerable<HeldGuest> guests) => _guests = [.. guests.OrderBy(guest => guest.Name, StringComparer.Ordinal)];

    public IReadOnlyList<HeldGuest> Guests => _guests;

    /// <summary>
    /// Some of what is stale now. What stays stale and is not given anew is on exactly one page, whatever else comes and goes
    /// between them.
    /// </summary>
    /// <param name="most">Entries of the page, at least 1.</param>
    /// <param name="token">Of the page before; null for the first.</param>
    /// <returns>False when the token makes no sense.</returns>
    public bool TryListStale(StaleFilter filter, int most, string? token, out StalePage page)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(most, 1);
        page = new StalePage([], null);
        if (!PageToken.TryParse(token, out PageToken from))
        {
            return false;
        }

        List<StaleEntry> entries = [];
        foreach (HeldGuest guest in _guests)
        {
            int order = string.CompareOrdinal(guest.Name, from.Guest);
            if (order < 0 || filter.Guests?.Contains(guest.Name) == false)
            {
                continue;
            }

            HeldPosition? reached = List(guest, filter, order == 0 ? from.Position : default, most, entries);
            if (reached is { } position)
            {
                page = new StalePage(entries, new PageToken(guest.Name, position).ToString());
                return true;
            }
        }

        page = new StalePage(entries, null);
        return true;
    }

    /// <summary>How many entries of a guest are stale now.</summary>
    public static long CountStale(HeldEntries entries) => Count(entries, new HeldScan { StaleOnly = true, Collects = false });

    /// <summary>How many entries a guest holds now.</summary>
    public static long CountHeld(HeldEntries entries) => Count(entries, new HeldScan { Collects = false });

    /// <summary>How many slots of a guest's table something hashes to that it holds now.</summary>
    public static long CountOccupiedSlots(HeldEntries entries)
    {
        ulong[] occupied = new ulong[entries.View.Table.SlotCount / 64];
        Count(entries, new HeldScan { Collects = false, OccupiedSlots = occupied });
        return occupied.Sum(BitOperations.PopCount);
    }

    /// <summary>The slots of what a guest holds at a path and below it, stale or not.</summary>
    public static void CollectSlots(HeldEntries entries, string path, ISet<SlotKey> slots)
    {
        HeldScan scan = new() { PathPrefix = path };
        while (true)
        {
            bool goesOn = entries.Scan(scan);
            slots.UnionWith(scan.Findings.Select(finding => finding.Key));
            if (!goesOn)
            {
                return;
            }

            entries.LetRequestsPass();
        }
    }

    /// <summary>The path of a node, as any guest was told; null when none was.</summary>
    public string? FindPath(NodeId node) => _guests.Select(guest => guest.Entries.FindPath(node)).FirstOrDefault(path => path is not null);

    /// <summary>
    /// Changes of a group from a position on, which it moves behind the last of them; none when there is nothing new. Who begins
    /// to watch takes <see cref="ChangeLog.Next"/> for the first position.
    /// </summary>
    /// <param name="missed">Changes that were forgotten before they were read.</param>
    public IReadOnlyList<ChangeReport> ReadChanges(ChangeLog log, ref long position, out long missed)
    {
        ChangeRecord[] changes = new ChangeRecord[ChangesPerRead];
        int count = log.Read(ref position, changes, out missed);
        HeldEntries[] entries = EntriesOf(log);
        ChangeReport[] reports = new ChangeReport[count];
        for (int i = 0; i < count; i++)
        {
            reports[i] = new ChangeReport(changes[i].Sequence, CauseFinder.Describe(changes[i], entries), KeysOf(changes[i]));
        }

        return reports;
    }

    private const int ChangesPerRead = 64;

    private HeldEntries[] EntriesOf(ChangeLog log) => [.. _guests.Select(guest => guest.Entries).Where(entries => entries.Log == log)];

    private static ulong[] KeysOf(in ChangeRecord change)
    {
        ulong[] keys = new ulong[change.KeyCount];
        for (int i = 0; i < keys.Length; i++)
        {
            keys[i] = change.Keys[i].Value;
        }

        return keys;
    }

    /// <summary>Adds what is stale of one guest until there are enough.</summary>
    /// <returns>Where it stopped; null when it has met everything.</returns>
    private static HeldPosition? List(HeldGuest guest, StaleFilter filter, HeldPosition from, int most, List<StaleEntry> entries)
    {
        DateTime newest = DateTime.UtcNow - filter.MinimumAge;
        HeldScan scan = new() { StaleOnly = true, Kinds = filter.Kinds, PathPrefix = filter.PathPrefix, Position = from };
        while (true)
        {
            scan.Room = Math.Min(HeldScan.FindingsMax, most - entries.Count);
            if (scan.Room == 0)
            {
                return scan.Position;
            }

            bool goesOn = guest.Entries.Scan(scan);
            foreach (HeldFinding finding in scan.Findings)
            {
                StaleEntry entry = CauseFinder.Explain(guest, finding);
                // Of the cause that is not remembered any more it is only known that it is older than all that are.
                if (filter.MinimumAge <= TimeSpan.Zero || entry.Since <= newest)
                {
                    entries.Add(entry);
                }
            }

            if (!goesOn)
            {
                return null;
            }

            guest.Entries.LetRequestsPass();
        }
    }

    private static long Count(HeldEntries entries, HeldScan scan)
    {
        while (entries.Scan(scan))
        {
            entries.LetRequestsPass();
        }

        return scan.Count;
    }
}
