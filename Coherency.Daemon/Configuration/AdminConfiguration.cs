namespace Coherency.Daemon.Configuration;

/// <summary>Where the administration listens. Property names are those of the command line's options, without "admin".</summary>
public sealed record AdminConfiguration
{
    /// <summary>False for no administration at all.</summary>
    public bool Enabled { get; set; } = true;

    /// <summary>Record what guests hold, without which nobody can say what is stale.</summary>
    public bool Holdings { get; set; } = true;

    /// <summary>A UNIX socket for the daemon's own user; one for each user when not given.</summary>
    public string? Socket { get; set; }

    /// <summary>ADDRESS:PORT to listen on too, for those who have a certificate of <see cref="ClientCa"/>.</summary>
    public string? Tls { get; set; }

    /// <summary>PEM files: the server's certificate with those that lead to its root, its key, and who signs clients.</summary>
    public string? Certificate { get; set; }

    public string? Key { get; set; }

    public string? ClientCa { get; set; }
}
