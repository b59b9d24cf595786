using System.CommandLine;
using Coherency.Daemon.Configuration;

namespace Coherency.Daemon.Commands;

/// <summary>Where <c>serve</c> listens for administration.</summary>
internal sealed class AdminListenOptions
{
    private readonly Option<string?> _socket = new("--admin-socket")
    {
        Description = "UNIX socket for administration, for this user only; admin.sock in the folder of the instance when not given",
        HelpName = "PATH",
    };
    private readonly Option<bool> _none = new("--no-admin") { Description = "Listen for no administration" };
    private readonly Option<bool> _noHoldings = new("--no-holdings")
    {
        Description =
            "Do not record what guests hold: saves some 100 bytes for each name and inode of each guest, and nobody can say what is stale",
    };
    private readonly Option<string?> _tls = new("--admin-tls")
    {
        Description = "Listen for administration on the network too; only with the three options below",
        HelpName = "ADDRESS:PORT",
    };
    private readonly Option<string?> _certificate = new("--admin-certificate")
    {
        Description = "The daemon's certificate, PEM",
        HelpName = "FILE",
    };
    private readonly Option<string?> _key = new("--admin-key") { Description = "The certificate's key, PEM", HelpName = "FILE" };
    private readonly Option<string?> _clientCa = new("--admin-client-ca")
    {
        Description = "Who signs the certificates of those that may administrate, PEM",
        HelpName = "FILE",
    };

    public void AddTo(Command command)
    {
        foreach (Option option in (Option[])[_socket, _none, _noHoldings, _tls, _certificate, _key, _clientCa])
        {
            command.Options.Add(option);
        }
    }

    /// <summary>What is given here goes before what a file said.</summary>
    public AdminConfiguration Read(ParseResult parsed, AdminConfiguration configuration) => configuration with
    {
        Enabled = configuration.Enabled && !parsed.GetValue(_none),
        Holdings = configuration.Holdings && !parsed.GetValue(_noHoldings),
        Socket = parsed.GetValue(_socket) ?? configuration.Socket,
        Tls = parsed.GetValue(_tls) ?? configuration.Tls,
        Certificate = parsed.GetValue(_certificate) ?? configuration.Certificate,
        Key = parsed.GetValue(_key) ?? configuration.Key,
        ClientCa = parsed.GetValue(_clientCa) ?? configuration.ClientCa,
    };
}
