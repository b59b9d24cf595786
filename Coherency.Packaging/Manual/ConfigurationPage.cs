using System.Text.Json.Nodes;

namespace Coherency.Packaging.Manual;

/// <summary>The page of a configuration file by its JSON schema.</summary>
internal static class ConfigurationPage
{
    public const string FileName = "coherencyd.json.5";

    /// <param name="schema">With a description of each property; what it refers to (<c>$ref</c>) is in it.</param>
    public static string Describe(JsonNode schema, ManualRelease release)
    {
        Roff page = new("coherencyd.json", 5, "what coherencyd serves", release);
        page.Section("DESCRIPTION");
        page.Verbatim(Resources.Read("coherencyd.json.5.description"));
        page.Section("PROPERTIES");
        DescribeObject(page, schema, schema);
        page.Verbatim(Resources.Read(FileName));
        return page.ToString();
    }

    private static void DescribeObject(Roff page, JsonNode root, JsonNode described)
    {
        List<(string Name, JsonNode Value)> inner = [];
        HashSet<string> required = [.. described["required"]?.AsArray().Select(name => (string)name!) ?? []];
        foreach ((string name, JsonNode? property) in described["properties"]!.AsObject())
        {
            JsonNode value = Resolve(root, property!);
            string kind = KindOf(root, value);
            page.Tagged(
                $"{Roff.Bold(name)} ({Roff.Escape(kind)})",
                $"{(string)property!["description"]!}.{(required.Contains(name) ? " Has to be given." : "")}");
            if (Resolve(root, value["items"] ?? value) is { } item && item["properties"] is not null)
            {
                inner.Add((name, item));
            }
        }

        foreach ((string name, JsonNode value) in inner)
        {
            page.Subsection($"\"In {name}\"");
            DescribeObject(page, root, value);
        }
    }

    private static string KindOf(JsonNode root, JsonNode value)
    {
        if (value["enum"] is JsonArray choices)
        {
            return string.Join(", ", choices.Where(choice => choice is not null).Select(choice => $"\"{choice}\""));
        }

        string[] types = value["type"] is JsonArray several ? [.. several.Select(type => (string)type!)] : [(string)value["type"]!];
        string type = types.First(type => type != "null");
        return type == "array" ? $"list of {KindOf(root, Resolve(root, value["items"]!))}s" : type;
    }

    /// <summary>A property of a type that was described before refers to that place.</summary>
    private static JsonNode Resolve(JsonNode root, JsonNode value)
    {
        if ((string?)value["$ref"] is not { } place)
        {
            return value;
        }

        JsonNode found = root;
        foreach (string step in place.Split('/').Skip(1))
        {
            found = found[step.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal)]!;
        }

        return Resolve(root, found);
    }
}
