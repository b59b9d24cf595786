using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Coherency.Tests.House;

/// <summary>
/// The rules of the house that a program can see (ARCHITECTURE.md has them all). Each rule looks at the whole source and
/// returns its breaches, one sentence each, saying where and what to do instead.
/// </summary>
internal static partial class HouseRules
{
    private const string Wall = "Coherency.Core/Linux/";

    private static readonly string[] HotPath =
    [
        "Coherency.Core/", "Coherency.Host/Server/", "Coherency.Host/Passthrough/", "Coherency.Host/Transports/",
        "Coherency.Host/Coherence/",
    ];

    private static readonly string[] Products = ["Coherency.Core", "Coherency.Host", "Coherency.Guest", "Coherency.Daemon"];

    /// <summary>Dependencies point down only: Daemon, Keeper, Bench, Tests -> Host, Guest -> Core.</summary>
    private static readonly Dictionary<string, string[]> MayReference = new()
    {
        ["Coherency.Core"] = [],
        ["Coherency.Host"] = ["Coherency.Core"],
        ["Coherency.Guest"] = ["Coherency.Core"],
        ["Coherency.Keeper"] = ["Coherency.Core"],
        ["Coherency.Daemon"] = ["Coherency.Core", "Coherency.Host", "Coherency.Guest"],
        ["Coherency.Bench"] = ["Coherency.Core", "Coherency.Host", "Coherency.Guest"],
        ["Coherency.Fuzz"] = ["Coherency.Core", "Coherency.Host", "Coherency.Daemon"],
        ["Coherency.Packaging"] = ["Coherency.Daemon", "Coherency.Keeper"],
        ["Coherency.Tests"] =
        [
            "Coherency.Core", "Coherency.Host", "Coherency.Guest", "Coherency.Daemon", "Coherency.Keeper", "Coherency.Bench",
            "Coherency.Fuzz", "Coherency.Packaging",
        ],
    };

    public static IEnumerable<string> NativeCallsAreGeneratedAtBuildTime(IReadOnlyList<SourceFile> source) =>
        Grep(source.Where(file => file.IsCSharp), RuntimeImport(), $"use LibraryImport, in {Wall}");

    public static IEnumerable<string> NativeCallsStandInTheWall(IReadOnlyList<SourceFile> source) =>
        Grep(
            source.Where(file => file.IsCSharp && !file.Path.StartsWith(Wall, StringComparison.Ordinal)),
            BuildTimeImport(),
            $"move it to {Wall} and call it through Libc");

    public static IEnumerable<string> AnEntryPointIsImportedOnce(IReadOnlyList<SourceFile> source) =>
        from import in source.Where(file => file.IsCSharp).SelectMany(Imports)
        group import.Place by import.EntryPoint into places
        where places.Count() > 1
        select $"{string.Join(" and ", places)}: {places.Key} is imported {places.Count()} times; keep one and share it";

    public static IEnumerable<string> ReferencesPointDown(IReadOnlyList<SourceFile> source) =>
        from project in source.Where(file => file.IsProject)
        from reference in Includes(project, "ProjectReference")
        let target = Path.GetFileNameWithoutExtension(reference.Replace('\\', '/'))
        where !(MayReference.GetValueOrDefault(Path.GetFileNameWithoutExtension(project.Path))?.Contains(target) ?? false)
        select $"{project.Path} references {target}: move what it needs down to where both may reach it";

    public static IEnumerable<string> CoreNeedsNoPackage(IReadOnlyList<SourceFile> source) =>
        from project in source.Where(file => file.FileName == "Coherency.Core.csproj")
        from package in Includes(project, "PackageReference")
        select $"{project.Path} references the package {package}: use the base library, or put the code into Coherency.Host";

    public static IEnumerable<string> TheHotPathIsSynchronous(IReadOnlyList<SourceFile> source) =>
        Grep(
            source.Where(file => file.IsCSharp && HotPath.Any(folder => file.Path.StartsWith(folder, StringComparison.Ordinal))),
            Asynchrony(),
            "credentials belong to threads: do it on a thread of its own, or wait on the control path (Coherency.Daemon)");

    public static IEnumerable<string> NothingIsLeftForLater(IReadOnlyList<SourceFile> source) =>
        Grep(source, LeftoverMarker(), "finish it, or open an issue that says what is missing");

    public static IEnumerable<string> NamespacesFollowFolders(IReadOnlyList<SourceFile> source) =>
        from file in source.Where(file => file.IsCSharp && file.FileName != "Program.cs")
        let first = file.Lines.FirstOrDefault(line => !MayPrecedeNamespace().IsMatch(line.Text)).Text
        let expected = $"namespace {file.Folder.Replace('/', '.')};"
        where first is not null && first.TrimEnd() != expected
        select $"{file.Path}: after the using directives comes '{expected}'";

    public static IEnumerable<string> NoPackageRegistryIsNamed(IReadOnlyList<SourceFile> source) =>
        Grep(source, RegistryHost(), "leave the choice to the configuration of the machine: mirrors and closed networks have others");

    /// <summary>Whether it says the right thing, only a reader can tell.</summary>
    public static IEnumerable<string> PointersSayWhatBoundsThem(IReadOnlyList<SourceFile> source) =>
        from file in source.Where(file => file.IsCSharp && Products.Contains(file.Path.Split('/')[0]))
        where !file.Text.Contains("// SAFETY", StringComparison.Ordinal)
        from breach in Grep(
            [file], PointerUse(), "say in a comment that begins with SAFETY: which check, or which owner, makes it right").Take(1)
        select breach;

    private static IEnumerable<string> Grep(IEnumerable<SourceFile> files, Regex pattern, string instead) =>
        from file in files
        from line in file.Lines
        let match = pattern.Match(line.Text)
        where match.Success
        select $"{file.Path}:{line.Number}: '{match.Value.Trim()}': {instead}";

    /// <summary>What a file imports: the entry point's name, and where that is.</summary>
    internal static IEnumerable<(string EntryPoint, string Place)> Imports(SourceFile file) =>
        from match in ImportedMethod().Matches(file.Text)
        let entryPoint = match.Groups["entry"].Success ? match.Groups["entry"].Value : match.Groups["method"].Value
        select (entryPoint, file.Path);

    /// <summary>What a project uses; another one that only has to be built before, as a program to start, is not used.</summary>
    private static IEnumerable<string> Includes(SourceFile project, string element) =>
        from item in XDocument.Parse(project.Text).Descendants(element)
        where item.Attribute("ReferenceOutputAssembly")?.Value != "false"
        select item.Attribute("Include")!.Value;

    [GeneratedRegex(@"\bDll(?:Import)\b")]
    private static partial Regex RuntimeImport();

    [GeneratedRegex(@"^\s*\[LibraryImport\(")]
    private static partial Regex BuildTimeImport();

    /// <summary>The attribute, further attributes if any, and the method with its name before the parenthesis.</summary>
    [GeneratedRegex(
        @"^\s*\[LibraryImport\((?:[^\]]*?EntryPoint = ""(?<entry>\w+)"")?[^\]]*\)\]\s*(?:\[[^\]]*\]\s*)*[\w\s*]+?\s\*?(?<method>\w+)\(",
        RegexOptions.Multiline)]
    private static partial Regex ImportedMethod();

    /// <summary>Comments may speak of it.</summary>
    [GeneratedRegex(@"^(?:(?!//).)*\b(?:async|await)\b")]
    private static partial Regex Asynchrony();

    [GeneratedRegex(@"\b(?:T[O]DO|F[I]XME|H[A]CK|X{3})\b")]
    private static partial Regex LeftoverMarker();

    /// <summary>Outside comments: a member through a pointer, a cast to one, own memory, a raw reference.</summary>
    [GeneratedRegex(@"^(?:(?!//).)*?(?:\w->\w|\(\w+\*\)[\w(&]|\bNativeMemory\.|\bUnsafe\.(?:As|AsPointer|AsRef|ReadUnaligned|Add)\b)")]
    private static partial Regex PointerUse();

    [GeneratedRegex(@"^\s*$|^\s*//|^#|^using |^global using |^\[assembly:")]
    private static partial Regex MayPrecedeNamespace();

    [GeneratedRegex(
        @"\bnuget\.org|\bnpmjs\.(?:org|com)|\bpypi\.org|\bcrates\.io|\b(?:deb|security|snapshot)\.debian\.org|\bproxy\.golang\.org")]
    private static partial Regex RegistryHost();
}
