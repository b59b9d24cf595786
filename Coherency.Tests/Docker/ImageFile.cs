using System.Text.Json;
using System.Text.RegularExpressions;

namespace Coherency.Tests.Docker;

/// <summary>What a stage of docker/Dockerfile says, of the few instructions that it uses.</summary>
internal sealed partial class ImageFile
{
    private readonly IReadOnlyList<(string Name, string Arguments)> _instructions;

    /// <param name="stage">Its name; the last stage when not given.</param>
    public ImageFile(string? stage = null)
    {
        string text = LineEnd().Replace(File.ReadAllText(Path.Combine(Repository.Root, "docker", "Dockerfile")), " ");
        (string Name, string Arguments)[] all =
        [
            .. from line in text.Split('\n')
               where line.Length > 0 && line[0] != '#'
               let parts = line.Split(' ', 2)
               select (parts[0], parts[1]),
        ];
        int first = Array.FindLastIndex(
            all, instruction => instruction.Name == "FROM" && (stage is null || instruction.Arguments == $"base AS {stage}"));
        _instructions = [.. all[(first + 1)..].TakeWhile(instruction => instruction.Name != "FROM")];
    }

    /// <summary>Commands that prepare the file system, after packages were installed.</summary>
    public IEnumerable<string> Commands => Of("RUN");

    /// <summary>What is copied out of the stage that builds: from where, to where.</summary>
    public IEnumerable<(string From, string To)> Copies =>
        Of("COPY").Select(arguments => arguments.Split(' ')).Select(words => (words[1], words[2]));

    public IEnumerable<string> Environment => Of("ENV");

    public string User => Of("USER").Single();

    /// <summary>What is run when nothing else is said.</summary>
    public IEnumerable<string> Start => [.. Words(Of("ENTRYPOINT").Single()), .. Of("CMD").SelectMany(Words)];

    public IEnumerable<string> HealthCheck => Words(Of("HEALTHCHECK").Single().Split(" CMD ")[1]);

    private IEnumerable<string> Of(string name) =>
        _instructions.Where(instruction => instruction.Name == name).Select(instruction => instruction.Arguments);

    private static string[] Words(string json) => JsonSerializer.Deserialize<string[]>(json)!;

    [GeneratedRegex(@"\\\n\s*")]
    private static partial Regex LineEnd();
}
