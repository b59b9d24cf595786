using System.Diagnostics;
using Coherency.Core.Linux;
using Coherency.Core.Versioning;

namespace Coherency.Host.Coherence.Holdings;

// Looking at everything, a few records at a time: names first, then what is known of nodes, by the numbers of their records. A
// record keeps its number while it lives, so that a scan meets once what stays, whatever comes and goes meanwhile.
public sealed partial class HeldEntries
{
    /// <summary>How long a scan keeps requests waiting at a time; a path that is made may add some microseconds.</summary>
    private const int HoldMicroseconds = 30;

    /// <summary>Records between two looks at the clock, and at whether a request waits.</summary>
    private const uint RecordsPerLook = 16;

    private static readonly long HoldTicks = Stopwatch.Frequency * HoldMicroseconds / 1_000_000;

    /// <summary>Takes one more turn of a scan.</summary>
    /// <returns>False when the scan is at its end.</returns>
    internal bool Scan(HeldScan scan)
    {
        scan.Findings.Clear();
        lock (_lock)
        {
            long end = Stopwatch.GetTimestamp() + HoldTicks;
            while (scan.HasRoom && !IsWanted && Stopwatch.GetTimestamp() < end)
            {
                HeldPhase phase = scan.Position.Phase;
                uint recordsEnd = !scan.WantsPhase ? 0 : phase == HeldPhase.Names ? _names.End : _nodes.End;
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
    }

    private uint ScanNames(HeldScan scan, uint number, uint stop)
    {
        for (; number < stop && scan.HasRoom; number++)
        {
            ref HeldName record = ref _names[number];
            HeldKind kind = record.Child == 0 ? HeldKind.AbsentName : HeldKind.Name;
            if (record.Place != 0 && scan.Wants(kind) && IsHeld(record.Given, record.Expiry))
            {
                ScanName(scan, kind, record);
            }
        }

        return number;
    }

    private void ScanName(HeldScan scan, HeldKind kind, in HeldName record)
    {
        ulong now = VersionNow(new SlotKey(record.Hash));
        ref HeldNode parent = ref _nodes[record.Parent];
        bool isRemembered = parent.Node != 0 && (record.Child == 0 || _nodes[record.Child].Node != 0);
        if ((scan.StaleOnly && now == record.Given) || !isRemembered)
        {
            return;
        }

        scan.Count++;
        ReadOnlySpan<byte> name = _nameBytes.Read(record.Place);
        string? path = scan.WantsPaths ? PathOf(record.Parent, name) : null;
        if (scan.Collects && scan.IsBelow(path))
        {
            ulong node = record.Child == 0 ? 0 : _nodes[record.Child].Node;
            scan.Findings.Add(
                new HeldFinding(kind, node, SlotKey.Name(KeyOf(parent.Node), name), record.Given, now, record.Sequence, path));
        }

        scan.Occupy(record.Hash & _slotMask);
    }

    private uint ScanNodes(HeldScan scan, HeldPhase phase, uint number, uint stop)
    {
        for (; number < stop && scan.HasRoom; number++)
        {
            ref HeldNode record = ref _nodes[number];
            if (record.Node == 0)
            {
                continue;
            }

            HeldKind kind = phase == HeldPhase.Attributes ? HeldKind.Attributes : ContentKindOf(record);
            HeldStamp stamp = StampOf(record, phase);
            if (scan.Wants(kind) && IsHeld(stamp.Given, stamp.Expiry))
            {
                ScanNode(scan, kind, number, stamp);
            }
        }

        return number;
    }

    private void ScanNode(HeldScan scan, HeldKind kind, uint number, in HeldStamp stamp)
    {
        ulong node = _nodes[number].Node;
        SlotKey key = SlotKey.Inode(KeyOf(node));
        ulong now = VersionNow(key);
        if (scan.StaleOnly && now == stamp.Given)
        {
            return;
        }

        scan.Count++;
        string? path = scan.WantsPaths ? PathOf(number, default) : null;
        if (scan.Collects && scan.IsBelow(path))
        {
            scan.Findings.Add(new HeldFinding(kind, node, key, stamp.Given, now, stamp.Sequence, path));
        }

        scan.Occupy(key.Value & _slotMask);
    }

    private HeldStamp StampOf(in HeldNode record, HeldPhase phase)
    {
        if (phase == HeldPhase.Attributes)
        {
            return new HeldStamp(record.AttributesGiven, record.AttributesSequence, record.AttributesExpiry);
        }

        return record.Content == 0 ? NotKept : new HeldStamp(
            _contents[record.Content].Given, _contents[record.Content].Sequence, NeverExpires);
    }

    private static HeldKind ContentKindOf(in HeldNode record) =>
        record.FileType == StatFlags.S_IFLNK ? HeldKind.SymlinkTarget : HeldKind.Listing;

    private ulong VersionNow(SlotKey slot) => HeldVersion.Pack(_view.Table.ReadSlot(slot), _view.Table.Epoch);
}
