using System.CommandLine;
using Coherency.Daemon.Commands;
using Coherency.Keeper.Options;

namespace Coherency.Packaging.Manual;

/// <summary>All pages of the manual.</summary>
internal static class ManualPages
{
    public static RootCommand Daemon => CommandLine.Describe();

    public static RootCommand Keeper => VirtiofsdCommand.Describe();

    /// <returns>Pages by their files' names.</returns>
    public static Dictionary<string, string> All(ManualRelease release)
    {
        Dictionary<string, string> pages = CommandPages.Describe("coherencyd", 8, Daemon, release);
        foreach ((string name, string page) in CommandPages.Describe("coherencyd-virtiofsd", 1, Keeper, release))
        {
            pages[name] = page;
        }

        pages[ConfigurationPage.FileName] = ConfigurationPage.Describe(SchemaCommand.Describe(), release);
        return pages;
    }
}
