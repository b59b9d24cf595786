using System.Diagnostics;
using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Core.Versioning;

namespace Coherency.Host.Coherence.Holdings;

/// <summary>
/// Looks at everything that a guest holds, a few records at a time: names first, then what is known of nodes, by the numbers of
/// their records. A record keeps its number while it lives, so that a scan meets once what stays, whatever comes and goes meanwhile.
/// </summary>
internal sealed class HeldScanner(HeldRecords records, HeldPaths paths, HeldStamps stamps, TableView view, RequestsFirstLock guard)
{
    /// <summary>How long a scan keeps requests waiting at a time; a path that is made may add some microseconds.</summary>
    private const int HoldMicroseconds = 30;

    /// <summary>Records between two looks at the clock, and at whether a request waits.</summary>
    private const uint RecordsPerLook = 16;

    private static readonly long HoldTicks = Stopwatch.Frequency * HoldMicroseconds / 1_000_000;

    /// <summary>Takes one more turn of a scan, with the lock held.</summary>
    /// <returns>False when the scan is at its end.</returns>
    public bool Scan(HeldScan scan)
    {
        scan.Findings.Clear();
        long end = Stopwatch.GetTimestamp() + HoldTicks;
        while (scan.HasRoom && !guard.IsWanted && Stopwatch.GetTimestamp() < end)
        {
            HeldPhase phase = scan.Position.Phase;
            uint recordsEnd = !scan.WantsPhase ? 0 : phase == HeldPhase.Names ? records.NamesEnd : records.NodesEnd;
            uint start = Math.Max(scan.Position.Number, 1);
            uint stop = Math.Min(recordsEnd, start + RecordsPerLook);
            uint reached = phase == HeldPhase.Names ? ScanNames(scan, start, stop) : ScanNodes(scan, phase, start, stop);
            scan.Position = scan.Position with { Number = reached };
            if (reached >= recordsEnd && phase == HeldPhase.Contents)
            {
                return false;
            }

            scan.Position = reached >= recordsEnd ? new HeldPosition(phase + 1, 1) : scan.Position;
        }

        return true;
    }

    /// <summary>Looks at one name that is held.</summary>
    public void ScanName(HeldScan scan, HeldKind kind, in HeldName record)
    {
        ulong now = stamps.VersionNow(new SlotKey(record.Hash));
        ref HeldNode parent = ref records.Node(record.Parent);
        bool isRemembered = parent.Node != 0 && (record.Child == 0 || records.Node(record.Child).Node != 0);
        if ((scan.StaleOnly && now == record.Given) || !isRemembered)
        {
            return;
        }

        scan.Count++;
        ReadOnlySpan<byte> name = records.BytesOf(record);
        string? path = scan.WantsPaths ? paths.PathOf(record.Parent, name) : null;
        if (scan.Collects && scan.IsBelow(path))
        {
            ulong node = record.Child == 0 ? 0 : records.Node(record.Child).Node;
            SlotKey key = SlotKey.Name(view.KeyOf(new NodeId(parent.Node)), name);
            scan.Findings.Add(new HeldFinding(kind, node, key, record.Given, now, record.Sequence, path));
        }

        scan.Occupy(record.Hash & stamps.SlotMask);
    }

    /// <summary>Looks at the nodes of some numbers.</summary>
    /// <returns>The number that comes next.</returns>
    public uint ScanNodes(HeldScan scan, HeldPhase phase, uint number, uint stop)
    {
        for (; number < stop && scan.HasRoom; number++)
        {
            ref HeldNode record = ref records.Node(number);
            if (record.Node == 0)
            {
                continue;
            }

            HeldKind kind = phase == HeldPhase.Attributes ? HeldKind.Attributes : ContentKindOf(record);
            HeldStamp stamp = StampOf(record, phase);
            if (scan.Wants(kind) && stamps.IsHeld(stamp.Given, stamp.Expiry))
            {
                ScanNode(scan, kind, number, stamp);
            }
        }

        return number;
    }

    private uint ScanNames(HeldScan scan, uint number, uint stop)
    {
        for (; number < stop && scan.HasRoom; number++)
        {
            ref HeldName record = ref records.Name(number);
            HeldKind kind = record.Child == 0 ? HeldKind.AbsentName : HeldKind.Name;
            if (record.Place != 0 && scan.Wants(kind) && stamps.IsHeld(record.Given, record.Expiry))
            {
                ScanName(scan, kind, record);
            }
        }

        return number;
    }

    private void ScanNode(HeldScan scan, HeldKind kind, uint number, in HeldStamp stamp)
    {
        ulong node = records.Node(number).Node;
        SlotKey key = SlotKey.Inode(view.KeyOf(new NodeId(node)));
        ulong now = stamps.VersionNow(key);
        if (scan.StaleOnly && now == stamp.Given)
        {
            return;
        }

        scan.Count++;
        string? path = scan.WantsPaths ? paths.PathOf(number, default) : null;
        if (scan.Collects && scan.IsBelow(path))
        {
            scan.Findings.Add(new HeldFinding(kind, node, key, stamp.Given, now, stamp.Sequence, path));
        }

        scan.Occupy(key.Value & stamps.SlotMask);
    }

    private HeldStamp StampOf(in HeldNode record, HeldPhase phase)
    {
        if (phase == HeldPhase.Attributes)
        {
            return new HeldStamp(record.AttributesGiven, record.AttributesSequence, record.AttributesExpiry);
        }

        return record.Content == 0
            ? HeldStamp.NotKept
            : new HeldStamp(records.ContentOf(record).Given, records.ContentOf(record).Sequence, HeldStamps.NeverExpires);
    }

    private static HeldKind ContentKindOf(in HeldNode record) =>
        record.FileType == StatFlags.S_IFLNK ? HeldKind.SymlinkTarget : HeldKind.Listing;
}
