using System.Text.Json.Nodes;
using System.Xml.Linq;

namespace Coherency.Packaging.Licences;

/// <summary>A library that is compiled into a program.</summary>
/// <param name="Licence">Its SPDX expression.</param>
internal sealed record ShippedLibrary(string Name, string Version, string Licence, string Copyright);

/// <summary>
/// Which libraries programs contain, as their builds wrote down (PROGRAM.deps.json), and what their packages say of themselves.
/// </summary>
internal static class ShippedLibraries
{
    /// <param name="programs">Names of programs that lie beside this one.</param>
    /// <exception cref="InvalidDataException">A package does not say under which licence it is.</exception>
    public static IReadOnlyList<ShippedLibrary> Of(params IEnumerable<string> programs)
    {
        string cache = Environment.GetEnvironmentVariable("NUGET_PACKAGES") is { Length: > 0 } given
            ? given
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");
        return
        [
            .. programs.SelectMany(Packages).Distinct().Order(StringComparer.OrdinalIgnoreCase)
                .Select(package => Describe(cache, package.Split('/'))),
        ];
    }

    /// <summary>As <c>Grpc.Net.Client/2.85.0</c>; those without a file of their own in the program are only needed to build it.</summary>
    private static IEnumerable<string> Packages(string program)
    {
        JsonNode built = JsonNode.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, $"{program}.deps.json")))!;
        return from target in built["targets"]!.AsObject()
               from library in target.Value!.AsObject()
               where library.Value!["runtime"] is not null && (string?)built["libraries"]![library.Key]!["type"] == "package"
               select library.Key;
    }

    private static ShippedLibrary Describe(string cache, string[] package)
    {
        string name = package[0].ToLowerInvariant();
        XElement metadata = XDocument.Load(Path.Combine(cache, name, package[1], $"{name}.nuspec")).Root!.Elements().First();
        string licence = Of("license") ?? throw new InvalidDataException($"{package[0]} does not say under which licence it is");
        return new ShippedLibrary(package[0], package[1], licence, Of("copyright") ?? $"the authors: {Of("authors")}");

        string? Of(string element) => metadata.Elements().FirstOrDefault(part => part.Name.LocalName == element)?.Value;
    }
}
