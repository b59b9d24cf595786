using Coherency.Admin.V1;
using Coherency.Daemon.Configuration;

namespace Coherency.Daemon.Commands.Remote;

/// <summary>What guests cache, as the command line calls it.</summary>
internal static class EntryKinds
{
    private static readonly EntryKind[] All = [.. Enum.GetValues<EntryKind>().Where(kind => kind != EntryKind.Unspecified)];

    public static string[] Names { get; } = [.. All.Select(Wording.Of)];

    /// <exception cref="UsageException">It is none.</exception>
    public static EntryKind Parse(string name)
    {
        int index = Array.IndexOf(Names, name);
        return index >= 0 ? All[index] : throw new UsageException($"--kind {name}: {string.Join(", ", Names)} are possible");
    }
}
