using System.CommandLine;
using System.Globalization;
using Coherency.Bench.Contenders;
using Coherency.Bench.Measurement;
using Coherency.Bench.Reports;
using Coherency.Bench.Workloads;
using Coherency.Guest.Fuse;

namespace Coherency.Bench;

/// <summary><c>coherency-bench run</c>: its options and what they mean.</summary>
internal static class RunCommand
{
    private const int ReplyTimeoutMs = 30_000;
    private const int WrongUsage = 2;

    private static readonly Option<string> Rows = new("--rows")
    {
        Description = "Operations to measure, separated by commas: " + string.Join(", ", WorkloadRow.All.Select(row => row.Name)) + ".",
        DefaultValueFactory = _ => string.Join(',', WorkloadRow.All.Select(row => row.Name)),
    };

    private static readonly Option<string> Depths = new("--depth")
    {
        Description = "Operations in flight, separated by commas.",
        DefaultValueFactory = _ => "1,32",
    };

    private static readonly Option<double> Seconds = new("--seconds")
    {
        Description = "Time for each row, depth and daemon, in seconds.",
        DefaultValueFactory = _ => 2,
    };

    private static readonly Option<int> Rounds = new("--rounds")
    {
        Description = "Interleaved rounds that the time is divided into.",
        DefaultValueFactory = _ => 5,
    };

    private static readonly Option<int> Inodes = new("--inodes")
    {
        Description = "Files to look up for the memory figure; 0 leaves it out. Peers hold a file descriptor for each.",
        DefaultValueFactory = _ => 15_000,
    };

    private static readonly Option<int> Spin = new("--spin")
    {
        Description = "Poll that many microseconds for a reply before sleeping on the interrupt.",
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
        Description = "NAME=COMMAND: another daemon, or another command for a known name. {socket} and {dir} are replaced. May be repeated.",
        DefaultValueFactory = _ => [],
    };

    private static readonly Option<string[]> Without = new("--without")
    {
        Description = "Leave a daemon out by its name. May be repeated.",
        DefaultValueFactory = _ => [],
    };

    private static readonly Option<string> WorkDirectory = new("--directory")
    {
        Description = "Where to make the shared trees; its file system is what is measured.",
        DefaultValueFactory = _ => Path.GetTempPath(),
    };

    private static readonly Option<string?> Json = new("--json") { Description = "Write the results to this file as JSON." };

    private static readonly Option<string?> Markdown = new("--markdown") { Description = "Write the results to this file as Markdown tables." };

    public static Command Create()
    {
        Command command = new("run", "Measure daemons against each other, in turns, on directories of the same content.")
        {
            Rows, Depths, Seconds, Rounds, Inodes, Spin, Coherencyd, Virtiofsd, Added, Without, WorkDirectory, Json, Markdown,
        };
        command.SetAction(Execute);
        return command;
    }

    private static int Execute(ParseResult arguments)
    {
        try
        {
            BenchSettings settings = ReadSettings(arguments);
            IReadOnlyList<Contender> contenders = ContenderList.Build(
                arguments.GetValue(Coherencyd), arguments.GetValue(Virtiofsd), arguments.GetRequiredValue(Added), arguments.GetRequiredValue(Without));
            BenchReport report = Measure(settings, contenders, arguments.GetRequiredValue(WorkDirectory));
            Publish(report, arguments);
            return 0;
        }
        catch (ArgumentException e)
        {
            Console.Error.WriteLine(e.Message);
            return WrongUsage;
        }
        catch (Exception e) when (e is IOException or TimeoutException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine(e.Message);
            return 1;
        }
    }

    private static BenchReport Measure(BenchSettings settings, IReadOnlyList<Contender> contenders, string parent)
    {
        string directory = Directory.CreateDirectory(Path.Combine(parent, $"coherency-bench-{Environment.ProcessId}")).FullName;
        try
        {
            return new BenchRun(settings, contenders, directory).Run();
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static void Publish(BenchReport report, ParseResult arguments)
    {
        ConsoleReport.Write(report);
        if (arguments.GetValue(Json) is { } json)
        {
            JsonReport.Write(report, json);
        }

        if (arguments.GetValue(Markdown) is { } markdown)
        {
            MarkdownReport.Write(report, markdown);
        }
    }

    private static BenchSettings ReadSettings(ParseResult arguments)
    {
        BenchSettings settings = new(
            arguments.GetRequiredValue(Seconds),
            arguments.GetRequiredValue(Rounds),
            [.. List(arguments.GetRequiredValue(Depths)).Select(ParseDepth)],
            [.. List(arguments.GetRequiredValue(Rows)).Select(FindRow)],
            arguments.GetRequiredValue(Inodes),
            new WaitPolicy(arguments.GetRequiredValue(Spin), ReplyTimeoutMs));
        bool enoughInodes = settings.Inodes == 0 || settings.Inodes >= 2 * BenchTree.InodesPerDirectory;
        return settings.Seconds > 0 && settings.Rounds > 0 && enoughInodes
            ? settings
            : throw new ArgumentException($"--seconds and --rounds are more than 0, --inodes is 0 or at least {2 * BenchTree.InodesPerDirectory}");
    }

    private static string[] List(string text) => text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    private static int ParseDepth(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int depth) && depth is >= 1 and <= DepthMax
            ? depth
            : throw new ArgumentException($"a depth is between 1 and {DepthMax}, not {text}");

    private const int DepthMax = 32;

    private static WorkloadRow FindRow(string name) =>
        WorkloadRow.All.FirstOrDefault(row => row.Name == name)
        ?? throw new ArgumentException($"there is no row {name}; there are {string.Join(", ", WorkloadRow.All.Select(row => row.Name))}");
}
