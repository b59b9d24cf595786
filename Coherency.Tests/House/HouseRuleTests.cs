namespace Coherency.Tests.House;

/// <summary>The source keeps the rules of the house, and each rule is shown a breach that it has to find.</summary>
public class HouseRuleTests
{
    private static readonly IReadOnlyList<SourceFile> Source = SourceFile.AllOfRepository();

    private delegate IEnumerable<string> Rule(IReadOnlyList<SourceFile> source);

    /// <summary>Each rule with a file that breaks it. Texts are put together so that this file breaks none itself.</summary>
    private static readonly (Rule Rule, SourceFile Breach)[] Rules =
    [
        (HouseRules.NativeCallsAreGeneratedAtBuildTime, new("Coherency.Core/Linux/Libc.cs", "[Dll" + "Import(\"libc\")]\n")),
        (HouseRules.NativeCallsStandInTheWall, new("Coherency.Host/Server/Session.cs", "    [LibraryImport(\"libc\")]\n")),
        (
            HouseRules.AnEntryPointIsImportedOnce,
            new("Coherency.Core/Linux/Libc.cs", Import("int read(int fd)") + Import("long read(int fd)"))),
        (
            HouseRules.ReferencesPointDown,
            new("Coherency.Core/Coherency.Core.csproj", ProjectWith("ProjectReference", @"..\Coherency.Host\Coherency.Host.csproj"))),
        (HouseRules.CoreNeedsNoPackage, new("Coherency.Core/Coherency.Core.csproj", ProjectWith("PackageReference", "Some.Package"))),
        (HouseRules.TheHotPathIsSynchronous, new("Coherency.Host/Server/Session.cs", "    private async Task Serve()\n")),
        (HouseRules.NothingIsLeftForLater, new("README.md", "TO" + "DO: write this\n")),
        (HouseRules.NamespacesFollowFolders, new("Coherency.Core/Fuse/FuseOpcode.cs", "using System;\n\nnamespace Coherency.Core\n{\n}\n")),
        (
            HouseRules.PointersSayWhatBoundsThem,
            new("Coherency.Core/Fuse/Header.cs", "    uint Length => ((fuse_in_header*)_start)->len;\n")),
        (HouseRules.NoPackageRegistryIsNamed, new("eng/fetch", "curl https://api.nuget" + ".org/v3/index.json\n")),
    ];

    public static TheoryData<string> RuleNames => [.. Rules.Select(entry => NameOf(entry.Rule))];

    [Theory]
    [MemberData(nameof(RuleNames))]
    public void The_source_keeps(string rule) => Assert.Empty(Named(rule).Rule(Source));

    [Theory]
    [MemberData(nameof(RuleNames))]
    public void A_breach_is_found_of(string rule)
    {
        (Rule find, SourceFile breach) = Named(rule);
        Assert.Contains(breach.Path, Assert.Single(find([breach])), StringComparison.Ordinal);
    }

    /// <summary>To xunit a name without a definition is a collection like any other: its classes would run beside everything.</summary>
    [Fact]
    public void Every_collection_of_tests_is_defined()
    {
        Type[] types = typeof(HouseRuleTests).Assembly.GetTypes();
        Assert.Empty(NamesIn<CollectionAttribute>(types).Except(NamesIn<CollectionDefinitionAttribute>(types)));
    }

    /// <summary>The first arguments of the attributes of this kind.</summary>
    private static IEnumerable<string?> NamesIn<TAttribute>(Type[] types) =>
        from type in types
        from attribute in type.CustomAttributes
        where attribute.AttributeType == typeof(TAttribute)
        select attribute.ConstructorArguments[0].Value as string;

    [Fact]
    public void Every_rule_is_applied() => Assert.Equal(
        typeof(HouseRules).GetMethods().Where(method => method.IsStatic).Select(method => method.Name).Order(),
        Rules.Select(entry => NameOf(entry.Rule)).Order());

    [Fact]
    public void The_whole_source_is_read()
    {
        string[] paths = [.. Source.Select(file => file.Path)];
        Assert.Contains("Coherency.Core/Linux/Libc.Files.cs", paths);
        Assert.Contains("Coherency.Daemon/Coherency.Daemon.csproj", paths);
        Assert.Contains(".ci/run", paths);
        Assert.DoesNotContain(paths, path => path.Contains("/obj/", StringComparison.Ordinal));
    }

    [Fact]
    public void Every_import_is_understood()
    {
        SourceFile[] wall = [.. Source.Where(file => file.Path.StartsWith("Coherency.Core/Linux/", StringComparison.Ordinal))];
        int attributes = wall.SelectMany(file => file.Lines).Count(
            line => line.Text.TrimStart().StartsWith("[LibraryImport(", StringComparison.Ordinal));
        Assert.NotEqual(0, attributes);
        Assert.Equal(attributes, wall.SelectMany(HouseRules.Imports).Count());
    }

    [Fact]
    public void An_entry_point_under_another_name_counts_as_the_same()
    {
        string renamed =
            "    [LibraryImport(\"libc\", EntryPoint = \"read\", SetLastError = true)]\n    private static partial long read_(int fd);\n";
        SourceFile file = new("Coherency.Core/Linux/Libc.cs", Import("long read(int fd)") + renamed);
        Assert.Contains("read is imported 2 times", Assert.Single(HouseRules.AnEntryPointIsImportedOnce([file])), StringComparison.Ordinal);
    }

    [Fact]
    public void Different_entry_points_may_stand_together() => Assert.Empty(
        HouseRules.AnEntryPointIsImportedOnce(
            [new("Coherency.Core/Linux/Libc.cs", Import("long read(int fd)") + Import("byte* write(int fd)"))]));

    [Fact]
    public void A_comment_may_speak_of_async() => Assert.Empty(
        HouseRules.TheHotPathIsSynchronous([new("Coherency.Host/Server/Session.cs", "    /// No async here.\n")]));

    [Fact]
    public void A_project_that_no_rule_knows_may_reference_nothing() => Assert.Single(
        HouseRules.ReferencesPointDown(
            [new("New/New.csproj", ProjectWith("ProjectReference", @"..\Coherency.Core\Coherency.Core.csproj"))]));

    private static (Rule Rule, SourceFile Breach) Named(string name) => Rules.Single(entry => NameOf(entry.Rule) == name);

    private static string NameOf(Rule rule) => rule.Method.Name;

    private static string Import(string method) =>
        $"    [LibraryImport(\"libc\", SetLastError = true)]\n    private static partial {method};\n\n";

    private static string ProjectWith(string element, string include) =>
        $"<Project><ItemGroup><{element} Include=\"{include}\" /></ItemGroup></Project>";
}
