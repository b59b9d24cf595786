using System.CommandLine;
using System.Text.Json;
using Coherency.Daemon.Configuration;

namespace Coherency.Daemon.Commands;

/// <summary>
/// What properties of the configuration file mean: what the options say of which they have the names, and a sentence of their own for
/// the others.
/// </summary>
internal sealed class PropertyDescriptions(Command serve)
{
    private readonly Dictionary<string, string?> _ofOptions =
        serve.Options.ToDictionary(option => option.Name, option => option.Description);

    /// <exception cref="InvalidOperationException">Nobody has said it.</exception>
    public string Of(Type declaring, string property) => Own(declaring, property) ?? OfOption(declaring, property)
        ?? throw new InvalidOperationException($"nothing is said of {declaring.Name}'s {property}");

    private string? OfOption(Type declaring, string property)
    {
        string prefix = declaring == typeof(AdminConfiguration) ? "--admin-" : "--";
        return _ofOptions.GetValueOrDefault(prefix + JsonNamingPolicy.KebabCaseLower.ConvertName(property));
    }

    private static string? Own(Type declaring, string property) => property switch
    {
        "$schema" => "Where this schema is, for editors; nothing else is made of it",
        "shares" => "The directories that are shared",
        "admin" => "Where the administration listens",
        "enabled" => "Listen for administration",
        "holdings" => "Record what guests hold, without which nobody can say what is stale",
        "guests" => "The guests of the share",
        "mounts" => "Directories of the host where the share is mounted as well, coherent with the guests",
        "name" => "What logs and administrators call the guest",
        "socket" when declaring == typeof(GuestConfiguration) => "The socket that the guest's VMM connects to",
        "xattr" => "Serve extended attributes",
        "killprivV2" => "Clear setuid and setgid bits here instead of in the guests",
        "readdirplus" => "Directory reads carry attributes",
        "announceSubmounts" => "Show mounts below the share as mounts",
        "events" => "Tell guests of changes by itself, so that watchers in them (inotify) hear of others'",
        "preserveNoatime" => "Leave O_NOATIME on files that guests open, which the host may refuse",
        "daxWindowMib" => "The MiB of the DAX window and the version table together (QEMU 11.1); 0 for no window",
        _ => null,
    };
}
