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

    /// <summary>The schema, with a description of each property.</summary>
    internal static JsonNode Describe()
    {
        PropertyDescriptions descriptions = new(new ServeCommand());
        JsonSchemaExporterOptions exact = new()
        {
            // Else what is not said could be null as well, which the daemon refuses.
            TreatNullObliviousAsNonNullable = true,
            TransformSchemaNode = (context, node) =>
            {
                if (context.PropertyInfo is { } property && node is JsonObject described)
                {
                    described.Insert(0, "description", descriptions.Of(property.DeclaringType, property.Name));
                }

                return node;
            },
        };
        JsonNode schema = ConfigurationJson.Default.ServeConfiguration.GetJsonSchemaAsNode(exact);
        schema["$schema"] = "https://json-schema.org/draft/2020-12/schema";
        schema["title"] = "coherencyd serve --config";
        return schema;
    }
}
