using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Coherency.Packaging.Manual;
using Coherency.Tests.Keeper;

namespace Coherency.Tests.Packaging;

/// <summary>A formatter that nobody here wrote understands the manual, and it has all that the programs say of themselves.</summary>
public sealed partial class ManualTests : IDisposable
{
    private static readonly Dictionary<string, string> Pages = ManualPages.All(new ManualRelease("1.2.3", new DateOnly(2026, 11, 30)));

    private readonly DirectoryInfo _work = Directory.CreateTempSubdirectory("coherency-manual-");

    public ManualTests()
    {
        foreach ((string name, string page) in Pages)
        {
            File.WriteAllText(PathOf(name), page);
        }
    }

    public static TheoryData<string> Names => [.. Pages.Keys];

    public void Dispose() => _work.Delete(recursive: true);

    [Theory]
    [MemberData(nameof(Names))]
    public void A_page_is_well_formed(string name)
    {
        Assert.Equal("", Run("mandoc", "-T", "lint", "-W", "warning", PathOf(name)));
        Assert.Contains("coherencyd 1.2.3", Shown(name), StringComparison.Ordinal);
    }

    [Fact]
    public void A_page_that_is_not_is_found_out()
    {
        File.AppendAllText(PathOf("coherencyd.8"), ".RS\n.nosuchmacro\n");
        ChildResult judged = ChildProcess.Run("mandoc", ["-T", "lint", "-W", "warning", PathOf("coherencyd.8")]);
        Assert.Contains("nosuchmacro", judged.Output + judged.Errors, StringComparison.Ordinal);
    }

    /// <summary>What a program's help lists, its page explains.</summary>
    [Theory]
    [InlineData("coherencyd.8", "coherencyd")]
    [InlineData("coherencyd-serve.8", "coherencyd serve")]
    [InlineData("coherencyd-mount.8", "coherencyd mount")]
    [InlineData("coherencyd-virtiofsd.1", "coherencyd-virtiofsd")]
    public void Nothing_that_help_lists_is_undocumented(string page, string command)
    {
        string[] listed = Listed(command);
        Assert.True(listed.Length > 3, string.Join(' ', listed));
        Assert.Empty(listed.Except(Documented(page)));
    }

    [Fact]
    public void Nothing_that_help_lists_of_the_administration_is_undocumented()
    {
        string[] commands = [.. Listed("coherencyd admin").Where(word => word[0] != '-')];
        Assert.True(commands.Length > 12, string.Join(' ', commands));
        string[] listed = [.. commands, .. commands.SelectMany(command => Listed($"coherencyd admin {command}"))];
        Assert.Empty(listed.Distinct().Except(Documented("coherencyd-admin.8")));
    }

    [Fact]
    public void No_property_of_the_configuration_is_undocumented()
    {
        JsonNode schema = JsonNode.Parse(DaemonProgram.Built.Run("schema").Output)!;
        string[] properties = [.. PropertiesOf(schema).Distinct()];
        Assert.True(properties.Length > 40, string.Join(' ', properties));
        string page = Shown(ConfigurationPage.FileName);
        Assert.All(
            properties,
            name => Assert.Matches(new Regex($@"^ +{Regex.Escape(name)} \(\S.*\)\n +[A-Z]", RegexOptions.Multiline), page));
    }

    /// <summary>The first words of the lines of a program's help: commands, and all spellings of options.</summary>
    private static string[] Listed(string command)
    {
        string[] words = command.Split(' ');
        string[] program = words[0] == "coherencyd" ? DaemonProgram.Built.Command : KeeperProcess.Built;
        string help = Run(program[0], [.. program[1..], .. words[1..], "--help"]);
        // How help is asked for, and the version, are the same everywhere.
        return [.. HelpLine().Matches(help).SelectMany(line => line.Groups[1].Captures).Select(name => name.Value)
            .Except(["-?", "-h", "--help", "--version", "-V"])];
    }

    private HashSet<string> Documented(string page) =>
        [.. PageLine().Matches(Shown(page)).SelectMany(line => line.Groups[1].Captures).Select(name => name.Value)];

    private static IEnumerable<string> PropertiesOf(JsonNode schema) => schema switch
    {
        JsonObject described => (described["properties"]?.AsObject().Select(property => property.Key) ?? [])
            .Concat(described.SelectMany(part => part.Value is { } inner ? PropertiesOf(inner) : [])),
        _ => [],
    };

    /// <summary>As a terminal shows it, without bold and underlined letters; hyphens are as typed.</summary>
    private string Shown(string name) => Overstruck().Replace(Run("mandoc", "-T", "ascii", "-O", "width=200", PathOf(name)), "");

    private static string Run(string program, params string[] arguments)
    {
        ChildResult result = ChildProcess.Run(program, arguments);
        Assert.True(result.ExitCode == 0, result.Output + result.Errors);
        return result.Output;
    }

    private string PathOf(string page) => Path.Combine(_work.FullName, page);

    [GeneratedRegex(@"^  (?:(-{0,2}[a-z?][\w-]*),? )+", RegexOptions.Multiline)]
    private static partial Regex HelpLine();

    [GeneratedRegex(@"^ +(?:(-{0,2}[a-z][\w-]*)(?:,? |$))+", RegexOptions.Multiline)]
    private static partial Regex PageLine();

    [GeneratedRegex(@".\x08")]
    private static partial Regex Overstruck();
}
