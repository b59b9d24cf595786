using System.CommandLine;
using System.Text.Json;
using Coherency.Admin.V1;
using Coherency.Daemon.Configuration;
using AdminClient = Coherency.Admin.V1.Admin.AdminClient;

namespace Coherency.Daemon.Commands.Remote;

/// <summary><c>coherencyd admin config</c>: what a running daemon serves, as a file for <c>serve --config</c>.</summary>
internal sealed class ConfigurationCommand(AdminOptions options)
    : AdminSubcommand("config", "Print what is served now as a file for 'serve --config'", options)
{
    protected override async Task<int> RunAsync(ParseResult parsed, AdminClient daemon, AdminOutput output, CancellationToken cancellation)
    {
        GetConfigurationResponse response =
            await daemon.GetConfigurationAsync(new GetConfigurationRequest(), Within(cancellation)).ConfigureAwait(false);
        ServeConfiguration configuration =
            JsonSerializer.Deserialize(response.Configuration.ToString(), ConfigurationJson.Default.ServeConfiguration)!;
        Console.Out.WriteLine(JsonSerializer.Serialize(configuration, ConfigurationJson.Indented.ServeConfiguration));
        return ExitCodes.Success;
    }
}
