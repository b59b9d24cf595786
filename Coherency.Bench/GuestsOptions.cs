using System.CommandLine;
using Coherency.Bench.Contenders;
using Coherency.Bench.Guests;
using Coherency.Bench.Suites;

namespace Coherency.Bench;

/// <summary>Options of <c>coherency-bench run</c> for the level of virtual machines.</summary>
internal static class GuestsOptions
{
    private static readonly Option<string?> Names = new("--contenders")
    {
        Description = $"Who shares directories with virtual machines, separated by commas, with or without the mode: {string.Join(", ", GuestContenders.Names)}.",
    };

    private static readonly Option<string?> Workloads = new("--workloads")
    {
        Description = $"Of the guests' level only these, separated by commas, and no other level: {GuestWorkload.Names}.",
    };

    private static readonly Option<int?> Files = new("--files") { Description = "Files in the virtual machines' repository, instead of the suite's." };

    private static readonly Option<int?> Looks = new("--looks")
    {
        Description = "How often each kind of change is looked at, for stale answers in virtual machines; 0 leaves it out.",
    };

    public static IEnumerable<Option> All => [Names, Workloads, Files, Looks];

    /// <summary>The suite with what these options say instead.</summary>
    /// <param name="rounds">When given on the command line.</param>
    /// <exception cref="ArgumentException">A name is nobody's, or a number is out of its range.</exception>
    public static SuiteDefinition Apply(ParseResult arguments, SuiteDefinition suite, int? rounds, IReadOnlyList<string> without)
    {
        GuestsPlan plan = suite.Guests;
        int files = arguments.GetValue(Files) ?? plan.Files;
        int looks = arguments.GetValue(Looks) ?? plan.Looks;
        Check(files == plan.Files || files is >= GuestsPlan.FilesMin and <= GuestsPlan.FilesMax, $"--files is between {GuestsPlan.FilesMin} and {GuestsPlan.FilesMax}, not {files}");
        Check(looks >= 0, $"--looks is 0 or more, not {looks}");
        if (arguments.GetValue(Workloads) is { } workloads)
        {
            suite = suite with { Levels = SuiteLevels.Guests };
            plan = plan with { Workloads = [.. Split(workloads).Select(GuestWorkload.Find)] };
        }

        IEnumerable<string> names = arguments.GetValue(Names) is { } some ? Split(some).SelectMany(GuestContenders.Find) : plan.Contenders;
        names = names.Where(name => !without.Any(other => ContenderList.IsMeant(name, other)));
        return suite with { Guests = plan with { Contenders = [.. names.Distinct()], Files = files, Looks = looks, Rounds = rounds ?? plan.Rounds } };
    }

    private static string[] Split(string text) => text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    private static void Check(bool holds, string otherwise)
    {
        if (!holds)
        {
            throw new ArgumentException(otherwise);
        }
    }
}
