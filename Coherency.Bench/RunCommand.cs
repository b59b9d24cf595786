using System.CommandLine;
using System.Globalization;
using Coherency.Bench.Contenders;
using Coherency.Bench.Measurement;
using Coherency.Bench.Reports;
using Coherency.Bench.Results;
using Coherency.Bench.Suites;
using Coherency.Bench.Workloads;

namespace Coherency.Bench;

/// <summary><c>coherency-bench run</c>: its options and what they mean.</summary>
internal static class RunCommand
{
    private const int Failed = 1;
    private const int WrongUsage = 2;
    private const int Interrupted = 130;

    private static readonly Option<string> Suite = new("--suite")
    {
        Description = "What to measure: " + string.Join("; ", SuiteDefinition.All.Select(suite => $"{suite.Name} ({suite.Description})")) + ".",
        DefaultValueFactory = _ => SuiteDefinition.All[0].Name,
        HelpName = "NAME",
    };

    private static readonly Option<string?> Rows = new("--rows")
    {
        Description = $"Of the daemon's level only these, separated by commas, and no other level: {DaemonScenario.Names}.",
    };

    private static readonly Option<string?> Depths = new("--depth") { Description = "Operations in flight for each queue, separated by commas, instead of the suite's." };

    private static readonly Option<string?> Queues = new("--queues") { Description = "Request queues of each guest, separated by commas, instead of the suite's." };

    private static readonly Option<string?> Guests = new("--guests") { Description = "Guests at the same time, separated by commas, instead of the suite's." };

    private static readonly Option<double?> Seconds = new("--seconds") { Description = "Time for each scenario, depth and daemon, in seconds, instead of the suite's." };

    private static readonly Option<int> Rounds = new("--rounds")
    {
        Description = "Interleaved rounds that the time is divided into; each gives one sample, and compare needs about ten.",
        DefaultValueFactory = _ => 10,
    };

    private static readonly Option<int?> Inodes = new("--inodes")
    {
        Description = "Files to look up for memory and for the latency among many, instead of the suite's; 0 leaves it out. Peers hold a descriptor for each.",
    };

    private static readonly Option<int> Spin = new("--spin")
    {
        Description = "Poll that many microseconds for a reply before sleeping on the interrupt, where each queue has a processor on both sides.",
        DefaultValueFactory = _ => 1000,
    };

    private static readonly Option<string?> Coherencyd = new("--coherencyd")
    {
        Description = "coherencyd.dll, or a published coherencyd; when not given, the one beside this program or of the same build.",
    };

    private static readonly Option<string?> Virtiofsd = new("--virtiofsd")
    {
        Description = "Rust virtiofsd; when not given, the one that eng/vm/prepare fetched, if it did.",
    };

    private static readonly Option<string[]> Added = new("--contender")
    {
        Description = "NAME=COMMAND: another daemon, or another command for a known name. {dir} and {socket} are replaced; {guests} by --guest NAME=SOCKET for each guest, {queues} by their number. May be repeated.",
        DefaultValueFactory = _ => [],
    };

    private static readonly Option<string[]> Without = new("--without")
    {
        Description = "Leave a daemon out by its name, with or without its mode. May be repeated.",
        DefaultValueFactory = _ => [],
    };

    private static readonly Option<string> WorkDirectory = new("--directory")
    {
        Description = "Where to make the shared trees; its file system is what is measured.",
        DefaultValueFactory = _ => Path.GetTempPath(),
    };

    private static readonly Option<string?> Json = new("--json") { Description = "Write the results to this file as JSON." };

    private static readonly Option<string?> Html = new("--html") { Description = "Write a report to this file: a page that needs nothing else." };

    private static readonly Option<string?> Markdown = new("--markdown") { Description = "Write a report to this file as Markdown tables." };

    public static Command Create()
    {
        Command command = new("run", "Measure daemons against each other, in turns, on directories of the same content.")
        {
            Suite, Rows, Depths, Queues, Guests, Seconds, Rounds, Inodes, Spin, Coherencyd, Virtiofsd, Added, Without, WorkDirectory, Json, Html, Markdown,
        };
        foreach (Option option in GuestsOptions.All)
        {
            command.Add(option);
        }

        command.SetAction(Execute);
        return command;
    }

    private static int Execute(ParseResult arguments)
    {
        try
        {
            SuiteOutcome outcome = Run(arguments);
            ConsoleSummary.Write(outcome.Results);
            foreach (string failure in outcome.Failures)
            {
                Console.Error.WriteLine($"not finished: {failure}");
            }

            return outcome.Failures.Count > 0 ? Failed : 0;
        }
        catch (ArgumentException e)
        {
            Console.Error.WriteLine(e.Message);
            return WrongUsage;
        }
        catch (Exception e) when (e is IOException or TimeoutException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine(e.Message);
            return Failed;
        }
        catch (OperationCanceledException)
        {
            string kept = arguments.GetValue(Json) is { } json ? $"what was found until then is in {json}" : "nothing was written, as --json was not given";
            Console.Error.WriteLine($"interrupted; {kept}; the daemons and trees are gone");
            return Interrupted;
        }
    }

    private static SuiteOutcome Run(ParseResult arguments)
    {
        SuiteDefinition suite = ReadSuite(arguments);
        BenchSettings settings = new(suite.Seconds, arguments.GetRequiredValue(Rounds), arguments.GetRequiredValue(Spin));
        ContenderSet contenders = ContenderList.Build(
            arguments.GetValue(Coherencyd), arguments.GetValue(Virtiofsd), arguments.GetRequiredValue(Added), arguments.GetRequiredValue(Without));
        IReadOnlyList<ISuitePart> parts = SuiteParts.Build(suite, contenders.Present, settings, arguments.GetValue(Coherencyd) ?? ContenderList.FindOurs());
        CheckDirectory(arguments.GetRequiredValue(WorkDirectory));
        using Interruption interruption = new();
        SuiteRunner runner = new(suite.Name, parts, contenders, arguments.GetRequiredValue(WorkDirectory), results => Keep(results, arguments));
        SuiteOutcome outcome = ProgressDisplay.Run(runner.Steps, beginStep => runner.Run(beginStep, interruption.Token));
        // Before anything is shown: what was measured for an hour is on the disk then, whatever the terminal does.
        Keep(outcome.Results, arguments);
        ReportFiles.Write([outcome.Results], arguments.GetValue(Html), arguments.GetValue(Markdown));
        return outcome;
    }

    private static void Keep(BenchResults results, ParseResult arguments)
    {
        if (arguments.GetValue(Json) is { } json)
        {
            ResultsFile.Write(results, json);
        }
    }

    private static void CheckDirectory(string path)
    {
        if (!Directory.Exists(path))
        {
            throw new ArgumentException($"--directory: there is no directory {path}");
        }
    }

    /// <summary>The suite that is named, with what the other options say instead.</summary>
    private static SuiteDefinition ReadSuite(ParseResult arguments)
    {
        SuiteDefinition suite = SuiteDefinition.Find(arguments.GetRequiredValue(Suite));
        double seconds = arguments.GetValue(Seconds) ?? suite.Seconds;
        int inodes = arguments.GetValue(Inodes) ?? suite.Daemon.Inodes;
        Check(seconds > 0 && double.IsFinite(seconds), $"--seconds is more than 0, not {seconds.ToString(CultureInfo.InvariantCulture)}");
        Check(arguments.GetRequiredValue(Rounds) is > 0 and <= RoundsMax, $"--rounds is between 1 and {RoundsMax}, not {arguments.GetRequiredValue(Rounds)}");
        Check(arguments.GetRequiredValue(Spin) >= 0, $"--spin is 0 or more, not {arguments.GetRequiredValue(Spin)}");
        Check(inodes == 0 || inodes >= InodesMin, $"--inodes is 0 or at least {InodesMin}, not {inodes}");
        suite = ReadTrials(arguments, suite with { Seconds = seconds });
        int? rounds = arguments.GetResult(Rounds) is { Implicit: false } ? arguments.GetRequiredValue(Rounds) : null;
        suite = GuestsOptions.Apply(arguments, suite, rounds, arguments.GetRequiredValue(Without));
        return suite with { Daemon = suite.Daemon with { Inodes = arguments.GetValue(Rows) is null || arguments.GetValue(Inodes) > 0 ? inodes : 0 } };
    }

    private const int RoundsMax = 1000;
    private const int InodesMin = 2 * InodeTree.FilesPerDirectory;

    private static SuiteDefinition ReadTrials(ParseResult arguments, SuiteDefinition suite)
    {
        int[]? depths = ReadNumbers(arguments, Depths, DaemonPlan.DepthMax);
        int[]? queues = ReadNumbers(arguments, Queues, DaemonPlan.QueuesMax);
        int[]? guests = ReadNumbers(arguments, Guests, DaemonPlan.GuestsMax);
        IReadOnlyList<DaemonTrials> trials = suite.Daemon.Trials;
        if (arguments.GetValue(Rows) is { } rows)
        {
            trials = [new DaemonTrials(Topology.Single, [.. List(rows, Rows).Select(DaemonScenario.Find)], [1, 32])];
            suite = suite with { Levels = SuiteLevels.Daemon };
        }

        if (queues is not null || guests is not null)
        {
            Topology[] topologies = [.. (queues ?? [1]).SelectMany(_ => guests ?? [1], (queue, guest) => new Topology(queue, guest))];
            DaemonScenario[] scenarios = [.. trials.SelectMany(trial => trial.Scenarios).Distinct()];
            int[] all = [.. trials.SelectMany(trial => trial.Depths).Distinct()];
            trials = [.. topologies.Select(topology => new DaemonTrials(topology, scenarios, all))];
        }

        trials = [.. trials.Select(trial => trial with { Depths = depths ?? trial.Depths })];
        return suite with { Daemon = suite.Daemon with { Trials = trials } };
    }

    private static int[]? ReadNumbers(ParseResult arguments, Option<string?> option, int max) =>
        arguments.GetValue(option) is { } text ? [.. List(text, option).Select(word => ParseNumber(word, option, max))] : null;

    private static int ParseNumber(string text, Option option, int max) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number >= 1 && number <= max
            ? number
            : throw new ArgumentException($"{option.Name} is between 1 and {max}, not {text}");

    private static string[] List(string text, Option option)
    {
        string[] words = text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return words.Length > 0 ? words : throw new ArgumentException($"{option.Name}: nothing is named");
    }

    private static void Check(bool holds, string otherwise)
    {
        if (!holds)
        {
            throw new ArgumentException(otherwise);
        }
    }
}
