namespace Coherency.Daemon.Configuration;

/// <summary>Where a daemon looks of which nobody says where: the file system hierarchy's places for root, XDG's for others.</summary>
internal static class StandardPlaces
{
    private const string Program = "coherencyd";

    /// <summary>The folder of configuration, which need not be there; null when this user has none.</summary>
    public static string? Configuration => Said("COHERENCYD_CONFIG_DIR")
        ?? (Environment.IsPrivilegedProcess ? $"/etc/{Program}" : OfUser("XDG_CONFIG_HOME", ".config"));

    /// <summary>Where a daemon writes what it has to remember (systemd: StateDirectory=); null when its user has no place.</summary>
    public static string? State => Said("STATE_DIRECTORY")?.Split(':')[0]
        ?? (Environment.IsPrivilegedProcess ? $"/var/lib/{Program}" : OfUser("XDG_STATE_HOME", ".local/state"));

    private static string? OfUser(string variable, string below) =>
        Said(variable) is { } folder ? Path.Combine(folder, Program)
        : Said("HOME") is { } home ? Path.Combine(home, below, Program)
        : null;

    private static string? Said(string variable) => Environment.GetEnvironmentVariable(variable) is { Length: > 0 } value ? value : null;
}
