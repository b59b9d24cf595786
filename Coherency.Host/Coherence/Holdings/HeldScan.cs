namespace Coherency.Host.Coherence.Holdings;

/// <summary>Where a scan is: what has a lower number it has met.</summary>
internal readonly record struct HeldPosition(HeldPhase Phase, uint Number);

/// <summary>What a scan looks at, one after the other.</summary>
internal enum HeldPhase
{
    Names,
    Attributes,
    Contents,
}

/// <summary>A look at what one guest holds, and how far it has come.</summary>
internal sealed class HeldScan
{
    /// <summary>What one turn finds, at most.</summary>
    public const int FindingsMax = 64;

    public HeldPosition Position { get; set; }

    public HeldKinds Kinds { get; init; } = HeldKinds.All;

    public bool StaleOnly { get; init; }

    /// <summary>Only at or below this path; empty for everywhere.</summary>
    public string PathPrefix { get; init; } = string.Empty;

    /// <summary>Findings are wanted, not only numbers.</summary>
    public bool Collects { get; init; } = true;

    /// <summary>How many findings a turn may have.</summary>
    public int Room { get; set; } = FindingsMax;

    /// <summary>A bit for each slot that something held hashes to; none when that is not wanted.</summary>
    public ulong[]? OccupiedSlots { get; init; }

    /// <summary>Of the last turn.</summary>
    public List<HeldFinding> Findings { get; } = new(FindingsMax);

    /// <summary>What was met so far, without regard to paths.</summary>
    public long Count { get; set; }

    public bool WantsPaths => Collects;

    public bool HasRoom => Findings.Count < Room;

    public bool WantsPhase => Position.Phase switch
    {
        HeldPhase.Names => (Kinds & (HeldKinds.Name | HeldKinds.AbsentName)) != 0,
        HeldPhase.Attributes => Wants(HeldKind.Attributes),
        _ => (Kinds & (HeldKinds.SymlinkTarget | HeldKinds.Listing)) != 0,
    };

    public bool Wants(HeldKind kind) => (Kinds & (HeldKinds)(1 << (int)kind)) != 0;

    public bool IsBelow(string? path) =>
        PathPrefix.Length == 0
        || (path is not null
            && path.StartsWith(PathPrefix, StringComparison.Ordinal)
            && (path.Length == PathPrefix.Length || path[PathPrefix.Length] == '/'));

    public void Occupy(ulong slot)
    {
        if (OccupiedSlots is not null)
        {
            OccupiedSlots[slot / 64] |= 1UL << (int)(slot % 64);
        }
    }
}
