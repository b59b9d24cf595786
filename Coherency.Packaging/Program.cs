using System.Globalization;
using System.Reflection;
using Coherency.Packaging.Licences;
using Coherency.Packaging.Manual;

namespace Coherency.Packaging;

/// <summary>Writes what packages have beside the programs, and is made from them: the manual, and the notice of copyright.</summary>
public static class Program
{
    private static readonly string[] Shipped = ["coherencyd", "coherencyd-virtiofsd"];

    public static int Main(string[] args)
    {
        if (args is not [string folder, string seconds] || !long.TryParse(seconds, CultureInfo.InvariantCulture, out long epoch))
        {
            Console.Error.WriteLine("usage: coherency-packaging FOLDER SECONDS (of the last change, since 1970)");
            return 2;
        }

        Directory.CreateDirectory(folder);
        string version = Assembly.GetExecutingAssembly().GetName().Version!.ToString(fieldCount: 3);
        ManualRelease release = new(version, DateOnly.FromDateTime(DateTimeOffset.FromUnixTimeSeconds(epoch).UtcDateTime));
        foreach ((string name, string page) in ManualPages.All(release))
        {
            File.WriteAllText(Path.Combine(folder, name), page);
        }

        File.WriteAllText(Path.Combine(folder, "copyright"), CopyrightFile.Of(ShippedLibraries.Of(Shipped)));
        return 0;
    }
}
