using Coherency.Core.Linux;

namespace Coherency.Core.Attaching;

/// <summary>Where a server of the host listens for keepers.</summary>
public static class AttachPlace
{
    /// <summary>Names the folder of what runs on the host, instead of the usual one.</summary>
    public const string DirectoryVariable = "COHERENCYD_RUNTIME_DIR";

    private const string SocketName = "attach.sock";

    /// <summary>
    /// The folder of an instance: below /run/coherencyd for root, below XDG_RUNTIME_DIR for others; null when that is not set.
    /// </summary>
    public static string? DirectoryOf(string instance)
    {
        string? parent = Environment.GetEnvironmentVariable(DirectoryVariable) is { Length: > 0 } given ? given : Standard();
        return parent is null ? null : Path.Combine(parent, instance);
    }

    public static string SocketIn(string directory) => Path.Combine(directory, SocketName);

    private static string? Standard()
    {
        if (Libc.GetEUid() == 0)
        {
            return "/run/coherencyd";
        }

        return Environment.GetEnvironmentVariable("XDG_RUNTIME_DIR") is { Length: > 0 } own ? Path.Combine(own, "coherencyd") : null;
    }
}
