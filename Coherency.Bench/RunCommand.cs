using System.CommandLine;
using Coherency.Bench.Guests;
using Coherency.Bench.Measurement;
using Coherency.Bench.Reports;
using Coherency.Bench.Suites;
using Coherency.Bench.Workloads;
using static Coherency.Bench.BenchCommandLine;

namespace Coherency.Bench;

/// <summary><c>coherency-bench run</c>: its options and what they mean.</summary>
internal static class RunCommand
{
    private const int Interrupted = 130;
    private const int RoundsMax = 1000;
    private const int InodesMin = 2 * InodeTree.FilesPerDirectory;

    private static readonly Option<string> Suite = WithDefault(
        "--suite",
        "What to measure: " + string.Join("; ", SuiteDefinition.All.Select(suite => $"{suite.Name} ({suite.Description})")) + ".",
        SuiteDefinition.All[0].Name);

    private static readonly Option<string?> Rows = Of<string?>(
        "--rows", $"Of the daemon's level only these, separated by commas, and no other level: {DaemonScenario.Names}.");

    private static readonly Option<string?> Depths = Of<string?>(
        "--depth", "Operations in flight for each queue, separated by commas, instead of the suite's.");
    private static readonly Option<string?> Queues = Of<string?>(
        "--queues", "Request queues of each guest, separated by commas, instead of the suite's.");
    private static readonly Option<string?> Guests = Of<string?>(
        "--guests", "Guests at the same time, separated by commas, instead of the suite's.");
    private static readonly Option<double?> Seconds = Of<double?>(
        "--seconds", "Time for each scenario, depth and daemon, in seconds, instead of the suite's.");

    private static readonly Option<int> Rounds = WithDefault(
        "--rounds", "Interleaved rounds that the time is divided into; each gives one sample, and compare needs about ten.", 10);

    private static readonly Option<int?> Inodes = Of<int?>(
        "--inodes",
        "Files to look up for memory and for the latency among many, instead of the suite's; 0 leaves it out. Peers hold a descriptor " +
        "for each.");

    private static readonly Option<int> Spin = WithDefault(
        "--spin",
        "Poll that many microseconds for a reply before sleeping on the interrupt, where each queue has a processor on both sides.", 1000);

    private static readonly Option<string?> Coherencyd = Of<string?>(
        "--coherencyd", "coherencyd.dll, or a published coherencyd; when not given, the one beside this program or of the same build.");

    private static readonly Option<string?> Virtiofsd = Of<string?>(
        "--virtiofsd", "Rust virtiofsd; when not given, the one that eng/vm/prepare fetched, if it did.");

    private static readonly Option<string[]> Added = WithDefault<string[]>(
        "--contender",
        "NAME=COMMAND: another daemon, or another command for a known name. {dir} and {socket} are replaced; "
        + "{guests} by --guest NAME=SOCKET for each guest, {queues} by their number. May be repeated.",
        []);

    private static readonly Option<string[]> Without = WithDefault<string[]>(
        "--without", "Leave a daemon out by its name, with or without its mode. May be repeated.", []);

    private static readonly Option<string> WorkDirectory = WithDefault(
        "--directory", "Where to make the shared trees; its file system is what is measured.", Path.GetTempPath());

    private static readonly Option<string?> Json = Of<string?>("--json", "Write the results to this file as JSON.");
    private static readonly Option<string?> Html = Of<string?>("--html", "Write a report to this file: a page that needs nothing else.");
    private static readonly Option<string?> Markdown = Of<string?>("--markdown", "Write a report to this file as Markdown tables.");

    private static readonly Option<string?> InMachines = Of<string?>(
        "--contenders",
        "Who shares directories with virtual machines, separated by commas, with or without the mode: " +
        $"{string.Join(", ", GuestContenders.Names)}.");

    private static readonly Option<string?> Programs = Of<string?>(
        "--workloads", $"Of the guests' level only these, separated by commas, and no other level: {GuestWorkload.Names}.");

    private static readonly Option<int?> Files = Of<int?>("--files", "Files in the virtual machines' repository, instead of the suite's.");

    private static readonly Option<int?> Looks = Of<int?>(
        "--looks", "How often each kind of change is looked at, for stale answers in virtual machines; 0 leaves it out.");

    public static Command Create() => Command(
        "run",
        "Measure daemons against each other, in turns, on directories of the same content.",
        [
            Suite, Rows, Depths, Queues, Guests, Seconds, Rounds, Inodes, Spin, Coherencyd, Virtiofsd, Added, Without, WorkDirectory, Json,
            Html,
            Markdown, InMachines, Programs, Files, Looks,
        ],
        Execute);

    private static Option<T> Of<T>(string name, string description) => new(name) { Description = description };

    private static Option<T> WithDefault<T>(string name, string description, T value) =>
        new(name) { Description = description, DefaultValueFactory = _ => value };

    private static int Execute(ParseResult arguments, CancellationToken interrupted)
    {
        try
        {
            SuiteOutcome outcome = Run(arguments, interrupted);
            ConsoleSummary.Write(outcome.Results);
            foreach (string failure in outcome.Failures)
                Console.Error.WriteLine($"not finished: {failure}");
            return outcome.Failures.Count > 0 ? Failed : 0;
        }
        catch (OperationCanceledException)
        {
            string kept = arguments.GetValue(Json) is { } json
                ? $"what was found until then is in {json}"
                : "nothing was written, as --json was not given";
            Console.Error.WriteLine($"interrupted; {kept}; the daemons and trees are gone");
            return Interrupted;
        }
    }

    private static SuiteOutcome Run(ParseResult arguments, CancellationToken interrupted)
    {
        SuiteDefinition suite = ReadSuite(arguments);
        string directory = arguments.GetRequiredValue(WorkDirectory);
        BenchSettings settings = new(suite.Seconds, arguments.GetRequiredValue(Rounds), arguments.GetRequiredValue(Spin));
        ContenderSet contenders = ContenderList.Build(
            arguments.GetValue(Coherencyd),
            arguments.GetValue(Virtiofsd),
            arguments.GetRequiredValue(Added),
            arguments.GetRequiredValue(Without),
            GuestContenders.Names);
        Check(Directory.Exists(directory), $"--directory: there is no directory {directory}");
        SuiteRunner runner = new(
            suite.Name,
            suite.Parts(contenders.Present, settings, arguments.GetValue(Coherencyd) ?? ContenderList.FindOurs()),
            contenders,
            directory,
            results => Keep(results, arguments));
        SuiteOutcome outcome = ProgressDisplay.Run(runner.Steps, beginStep => runner.Run(beginStep, interrupted));
        // Before anything is shown: what was measured for an hour is on the disk then, whatever the terminal does.
        Keep(outcome.Results, arguments);
        Report.Write([outcome.Results], arguments.GetValue(Html), arguments.GetValue(Markdown));
        return outcome;
    }

    private static void Keep(BenchResults results, ParseResult arguments)
    {
        if (arguments.GetValue(Json) is { } json)
            ResultsFile.Write(results, json);
    }

    /// <summary>The suite that is named, with what the other options say instead.</summary>
    private static SuiteDefinition ReadSuite(ParseResult arguments)
    {
        SuiteDefinition suite = SuiteDefinition.Find(arguments.GetRequiredValue(Suite));
        double seconds = arguments.GetValue(Seconds) ?? suite.Seconds;
        int inodes = arguments.GetValue(Inodes) ?? suite.Daemon.Inodes;
        int rounds = arguments.GetRequiredValue(Rounds);
        Check(seconds > 0 && double.IsFinite(seconds), $"--seconds is more than 0, not {seconds.ToString(CultureInfo.InvariantCulture)}");
        Check(rounds is > 0 and <= RoundsMax, $"--rounds is between 1 and {RoundsMax}, not {rounds}");
        Check(arguments.GetRequiredValue(Spin) >= 0, $"--spin is 0 or more, not {arguments.GetRequiredValue(Spin)}");
        Check(inodes == 0 || inodes >= InodesMin, $"--inodes is 0 or at least {InodesMin}, not {inodes}");
        suite = ReadGuests(arguments, ReadTrials(arguments, suite with { Seconds = seconds }));
        return suite with
        {
            Daemon = suite.Daemon with { Inodes = arguments.GetValue(Rows) is null || arguments.GetValue(Inodes) > 0 ? inodes : 0 },
        };
    }

    private static SuiteDefinition ReadTrials(ParseResult arguments, SuiteDefinition suite)
    {
        int[]? depths = ReadNumbers(arguments, Depths, DaemonPlan.DepthMax);
        int[]? queues = ReadNumbers(arguments, Queues, DaemonPlan.QueuesMax);
        int[]? guests = ReadNumbers(arguments, Guests, DaemonPlan.GuestsMax);
        IReadOnlyList<DaemonTrials> trials = suite.Daemon.Trials;
        if (arguments.GetValue(Rows) is { } rows)
        {
            trials = [new DaemonTrials(Topology.Single, [.. Words(rows, Rows).Select(DaemonScenario.Find)], [1, 32])];
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

    private static SuiteDefinition ReadGuests(ParseResult arguments, SuiteDefinition suite)
    {
        GuestsPlan plan = suite.Guests;
        int files = arguments.GetValue(Files) ?? plan.Files;
        int looks = arguments.GetValue(Looks) ?? plan.Looks;
        int rounds = arguments.GetResult(Rounds) is { Implicit: false } ? arguments.GetRequiredValue(Rounds) : plan.Rounds;
        Check(
            files == plan.Files || files is >= GuestsPlan.FilesMin and <= GuestsPlan.FilesMax,
            $"--files is between {GuestsPlan.FilesMin} and {GuestsPlan.FilesMax}, not {files}");
        Check(looks >= 0, $"--looks is 0 or more, not {looks}");
        if (arguments.GetValue(Programs) is { } programs)
        {
            suite = suite with { Levels = SuiteLevels.Guests };
            plan = plan with { Workloads = [.. Split(programs).Select(GuestWorkload.Find)] };
        }

        IEnumerable<string> names = arguments.GetValue(InMachines) is { } some
            ? Split(some).SelectMany(GuestContenders.Find)
            : plan.Contenders;
        names = names.Where(name => !arguments.GetRequiredValue(Without).Any(other => ContenderNames.IsMeant(name, other)));
        return suite with { Guests = plan with { Contenders = [.. names.Distinct()], Files = files, Looks = looks, Rounds = rounds } };
    }

    private static int[]? ReadNumbers(ParseResult arguments, Option<string?> option, int max) => arguments.GetValue(option) is not { } text
        ? null
        : [.. Words(text, option).Select(word => int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out int number)
            && number >= 1 && number <= max
            ? number
            : throw new ArgumentException($"{option.Name} is between 1 and {max}, not {word}"))];

    private static string[] Words(string text, Option option)
    {
        string[] words = Split(text);
        Check(words.Length > 0, $"{option.Name}: nothing is named");
        return words;
    }
}
