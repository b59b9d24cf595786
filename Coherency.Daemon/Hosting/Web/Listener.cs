namespace Coherency.Daemon.Hosting.Web;

/// <summary>What a place is for where the web server listens. A connection carries that of its place, as a feature.</summary>
/// <param name="Name">For people.</param>
internal sealed record Listener(string Name)
{
    /// <summary>The UNIX socket, and the address with TLS.</summary>
    public static Listener Administration { get; } = new("administration");

    public static Listener Dashboard { get; } = new("dashboard");

    public static Listener Metrics { get; } = new("metrics");
}
