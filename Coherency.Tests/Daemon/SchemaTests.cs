using System.Text.RegularExpressions;

namespace Coherency.Tests.Daemon;

/// <summary>The schema of the configuration file, against a judge that nobody here wrote, and against the daemon.</summary>
public sealed partial class SchemaTests : IDisposable
{
    private readonly DirectoryInfo _work = Directory.CreateTempSubdirectory("coherency-schema-");

    public SchemaTests()
    {
        ChildResult schema = DaemonProgram.Built.Run("schema");
        Assert.Equal(0, schema.ExitCode);
        File.WriteAllText(Schema, schema.Output);
    }

    private string Schema => Path.Combine(_work.FullName, "schema.json");

    public void Dispose() => _work.Delete(recursive: true);

    [Fact]
    public void What_the_documentation_shows_is_right()
    {
        string page = File.ReadAllText(Path.Combine(Repository.Root, "docs", "serving.md"));
        string example = Example().Match(page).Groups[1].Value;
        Assert.Equal("", Judge(example));
        Assert.Equal("", Judge("{ \"$schema\": \"schema.json\"," + example.TrimStart()[1..]));
    }

    /// <summary>The schema and the daemon refuse the same, as far as types, names and what has to be there go.</summary>
    [Theory]
    [InlineData("""{ "shares": 1 }""", "shares")]
    [InlineData("""{ "shares": [], "colour": "red" }""", "colour")]
    [InlineData("""{ "shares": [{ "guests": [] }] }""", "sharedDir")]
    [InlineData("""{ "shares": [{ "sharedDir": "/s", "guests": [{ "name": "a" }] }] }""", "socket")]
    [InlineData("""{ "shares": [{ "sharedDir": "/s", "cache": "sometimes" }] }""", "cache")]
    [InlineData("""{ "shares": [{ "sharedDir": "/s", "cache": 1 }] }""", "cache")]
    [InlineData("""{ "shares": [{ "sharedDir": "/s", "numRequestQueues": "two" }] }""", "numRequestQueues")]
    [InlineData("""{ "shares": [{ "sharedDir": "/s", "xattr": null }] }""", "xattr")]
    public void What_the_daemon_cannot_read_the_schema_refuses(string configuration, string named)
    {
        Assert.Contains(named, Judge(configuration), StringComparison.Ordinal);
        string file = Path.Combine(_work.FullName, "refused.json");
        File.WriteAllText(file, configuration);
        ChildResult serve = DaemonProgram.Built.Run("serve", "--config", file, "--no-admin");
        Assert.Equal(2, serve.ExitCode);
        Assert.Contains(named, serve.Errors, StringComparison.Ordinal);
    }

    [GeneratedRegex("```json\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex Example();

    /// <summary>What is wrong, a line each.</summary>
    private string Judge(string configuration)
    {
        const string Program = """
            import json, sys, jsonschema
            schema = json.load(open(sys.argv[1]))
            jsonschema.Draft202012Validator.check_schema(schema)
            for error in jsonschema.Draft202012Validator(schema).iter_errors(json.loads(sys.argv[2])):
                print(list(error.absolute_path), error.message)
            """;
        ChildResult judged = ChildProcess.Run("python3", ["-c", Program, Schema, configuration]);
        Assert.True(judged.ExitCode == 0, judged.Errors);
        return judged.Output;
    }
}
