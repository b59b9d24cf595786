using System.CommandLine;

namespace Coherency.Bench;

/// <summary>All commands of <c>coherency-bench</c>.</summary>
internal static class BenchCommandLine
{
    public const int Failed = 1;
    public const int WrongUsage = 2;

    public static RootCommand Create() => new("Measures virtio-fs daemons against each other, and what a version table costs.")
    {
        RunCommand.Create(), ReportCommand.Create(), CompareCommand.Create(), TableBenchmarkCommand.Create(),
    };

    /// <summary>A command that says in one line why it could not be carried out.</summary>
    /// <param name="ofFiles">What it returns when a file is wrong.</param>
    public static Command Command(
        string name, string description, IEnumerable<Symbol> symbols, Func<ParseResult, CancellationToken, int> execute,
        int ofFiles = Failed)
    {
        Command command = new(name, description);
        foreach (Symbol symbol in symbols)
        {
            if (symbol is Argument argument)
                command.Add(argument);
            else
                command.Add((Option)symbol);
        }

        command.SetAction((arguments, interrupted) => Task.Run(() =>
        {
            try
            {
                return execute(arguments, interrupted);
            }
            catch (Exception e) when (
                e is ArgumentException or IOException or InvalidDataException or TimeoutException or UnauthorizedAccessException)
            {
                Console.Error.WriteLine(e.Message);
                return e is ArgumentException ? WrongUsage : ofFiles;
            }
        }));
        return command;
    }

    /// <summary>Words between commas.</summary>
    public static string[] Split(string text) => text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    /// <exception cref="ArgumentException">It does not hold.</exception>
    public static void Check(bool holds, string otherwise)
    {
        if (!holds)
            throw new ArgumentException(otherwise);
    }
}
