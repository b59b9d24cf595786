namespace Coherency.Daemon.Instances;

/// <summary>What daemons are called.</summary>
internal static class InstanceNames
{
    /// <summary>Whose nobody says.</summary>
    public const string Default = "default";
}
