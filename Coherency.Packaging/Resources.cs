using System.Reflection;

namespace Coherency.Packaging;

/// <summary>Texts that are part of the program.</summary>
internal static class Resources
{
    public static string Read(string name)
    {
        using Stream text = Assembly.GetExecutingAssembly().GetManifestResourceStream(name)
            ?? throw new FileNotFoundException($"{name} is no part of the program");
        using StreamReader reader = new(text);
        return reader.ReadToEnd();
    }
}
