namespace Coherency.Core.Versioning;

/// <summary>A look at all slots of a table.</summary>
public struct VersionTableSurvey
{
    /// <summary>Versions of all slots, summed up: what differs between two looks are moves.</summary>
    public ulong Versions;

    /// <summary>Slots in which a change was under way.</summary>
    public int SlotsInChange;
}
