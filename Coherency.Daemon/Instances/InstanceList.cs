using System.Text.Json;
using Coherency.Core.Attaching;

namespace Coherency.Daemon.Instances;

/// <summary>The daemons of this user that run and can be found.</summary>
internal static class InstanceList
{
    /// <summary>In the order of their names.</summary>
    public static IReadOnlyList<InstanceInfo> Find()
    {
        string? parent = Path.GetDirectoryName(AttachPlace.DirectoryOf(InstanceNames.Default));
        return parent is null || !Directory.Exists(parent)
            ? []
            : [.. Directory.GetDirectories(parent).Order(StringComparer.Ordinal).Select(Read).OfType<InstanceInfo>()];
    }

    /// <summary>Where the daemon of an instance is administrated; null when nobody can say.</summary>
    public static string? AdminSocketOf(string instance) => AttachPlace.DirectoryOf(instance) is { } folder
        ? Read(folder)?.AdminSocket ?? InstanceFolder.AdminSocketIn(folder)
        : null;

    /// <summary>Null when no daemon is there, or one that begins or ends.</summary>
    private static InstanceInfo? Read(string folder)
    {
        try
        {
            byte[] said = File.ReadAllBytes(InstanceFolder.InfoFileIn(folder));
            return InstanceFolder.IsTaken(folder) ? JsonSerializer.Deserialize(said, InstanceJson.Default.InstanceInfo) : null;
        }
        catch (Exception absent) when (absent is IOException or UnauthorizedAccessException or JsonException)
        {
            return null;
        }
    }
}
