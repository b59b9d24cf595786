using System.Text.Json;
using System.Text.RegularExpressions;

namespace Coherency.Tests.Docker;

/// <summary>What the last stage of docker/Dockerfile says, of the few instructions that it uses.</summary>
internal sealed partial class ImageFile
{
    private readonly IReadOnlyList<(string Name, string Arguments)> _instructions;

    public ImageFile()
    {
        string text = LineEnd().Replace(File.ReadAllText(Path.Combine(Repository.Root, "docker", "Dockerfile")), " ");
        (string Name, string Arguments)[] all =
        [
            .. from line in text.Split('\n')
               where line.Length > 0 && line[0] != '#'
               let parts = line.Split(' ', 2)
               select (parts[0], parts[1]),
        ];
        int last = Array.FindLastIndex(all, instruction => instruction.Name == "FROM");
        _instructions = all[(last + 1)..];
    }

    /// <summary>Commands that prepare the file system, but for those that install packages.</summary>
    public IEnumerable<string> Commands => Of("RUN").Where(command => !command.StartsWith("apt-get", StringComparison.Ordinal));

    /// <summary>What is copied out of the stage that builds: from where, to where.</summary>
    public IEnumerable<(string From, string To)> Copies =>
        Of("COPY").Select(arguments => arguments.Split(' ')).Select(words => (words[1], words[2]));

    public IEnumerable<string> Environment => Of("ENV");

    public string User => Of("USER").Single();

    /// <summary>What is run when nothing else is said.</summary>
    public IEnumerable<string> Start => [.. Words(Of("ENTRYPOINT").Single()), .. Words(Of("CMD").Single())];

    public IEnumerable<string> HealthCheck => Words(Of("HEALTHCHECK").Single().Split(" CMD ")[1]);

    private IEnumerable<string> Of(string name) =>
        _instructions.Where(instruction => instruction.Name == name).Select(instruction => instruction.Arguments);

    private static string[] Words(string json) => JsonSerializer.Deserialize<string[]>(json)!;

    [GeneratedRegex(@"\\\n\s*")]
    private static partial Regex LineEnd();
}
