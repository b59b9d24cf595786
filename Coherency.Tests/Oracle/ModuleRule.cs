namespace Coherency.Tests.Oracle;

/// <summary>enum coherency_rule of guest/linux.</summary>
public enum ModuleRule
{
    Names,
    Attributes,
    Data,
    Listings,
    Owner,
    Tails,
    OwnChanges,
    Governed,
    Clamp,
    Evictions,
    Leases,
    Faults,
}
