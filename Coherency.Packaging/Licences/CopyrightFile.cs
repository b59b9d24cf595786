using System.Text;

namespace Coherency.Packaging.Licences;

/// <summary>/usr/share/doc/PACKAGE/copyright: who holds the rights in what the package contains, and under which licence.</summary>
internal static class CopyrightFile
{
    private const string Runtime = """

        The programs are compiled ahead of time. They contain the .NET runtime, Copyright (c) .NET Foundation and Contributors, under the
        MIT licence; /usr/share/doc/coherencyd/dotnet-third-party-notices.gz has the notices of what that contains. And these libraries:


        """;

    /// <exception cref="InvalidDataException">A library is under a licence whose text is not known here.</exception>
    public static string Of(IReadOnlyList<ShippedLibrary> libraries)
    {
        StringBuilder text = new(Resources.Read("own.txt"));
        text.Append(Runtime);
        foreach (ShippedLibrary library in libraries)
        {
            text.Append($"  {library.Name} {library.Version} ({library.Licence})\n    {library.Copyright}\n");
        }

        foreach (string licence in libraries.Select(library => library.Licence).Append("MIT").Distinct().Order(StringComparer.Ordinal))
        {
            text.Append(licence switch
            {
                // Said at the beginning.
                "Apache-2.0" => "",
                "MIT" or "BSD-3-Clause" => $"\n{licence}:\n\n{Resources.Read($"{licence}.txt")}",
                _ => throw new InvalidDataException($"add the text of {licence} to Coherency.Packaging/Licences"),
            });
        }

        return text.ToString();
    }
}
