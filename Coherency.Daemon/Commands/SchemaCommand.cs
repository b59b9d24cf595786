using System.CommandLine;
using System.Text.Json.Nodes;
using System.Text.Json.Schema;
using Coherency.Daemon.Configuration;

namespace Coherency.Daemon.Commands;

/// <summary><c>coherencyd schema</c>: what an editor needs to check a configuration file as it is written (json-schema.org).</summary>
internal sealed class SchemaCommand : Command
{
    public SchemaCommand()
        : base("schema", "Print the JSON schema of the file of 'serve --config', which editors check and complete it by") =>
        SetAction(_ => Console.Out.WriteLine(Describe().ToJsonString(ConfigurationJson.Indented.Options)));

    private static JsonNode Describe()
    {
        // Else what is not said could be null as well, which the daemon refuses.
        JsonSchemaExporterOptions exact = new() { TreatNullObliviousAsNonNullable = true };
        JsonNode schema = ConfigurationJson.Default.ServeConfiguration.GetJsonSchemaAsNode(exact);
        schema["$schema"] = "https://json-schema.org/draft/2020-12/schema";
        schema["title"] = "coherencyd serve --config";
        return schema;
    }
}
