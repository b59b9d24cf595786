using System.Globalization;
using System.Text;
using Coherency.Daemon.Reports;
using Google.Protobuf;
using Spectre.Console;

namespace Coherency.Daemon.Commands.Remote;

/// <summary>Prints answers: tables for people, JSON for programs. Without colours and control codes unless it is a terminal.</summary>
/// <param name="isJson">JSON was asked for.</param>
internal sealed class AdminOutput(bool isJson)
{
    /// <summary>What is not a terminal has no width: nothing is wrapped there.</summary>
    private const int UnlimitedWidth = 100_000;

    public bool IsJson => isJson;

    /// <summary>A message as a line of JSON, or what <paramref name="describe"/> makes of it.</summary>
    public void Print<T>(T message, Action<T> describe)
        where T : IMessage
    {
        if (isJson)
        {
            Console.Out.WriteLine(MessageJson.Format(message));
        }
        else
        {
            describe(message);
        }
    }

    /// <summary>A heading for each column, and rows of as many cells.</summary>
    public static void PrintTable(IReadOnlyList<string> headings, IEnumerable<string[]> rows)
    {
        bool isTerminal = !Console.IsOutputRedirected;
        Terminal(isTerminal).Write(MakeTable(isTerminal, headings, rows));
    }

    /// <summary>With lines around it on a terminal, and one line for each row elsewhere.</summary>
    public static Table MakeTable(bool isTerminal, IReadOnlyList<string> headings, IEnumerable<string[]> rows)
    {
        Table table = new() { Border = isTerminal ? TableBorder.Rounded : TableBorder.None };
        foreach (string heading in headings)
        {
            table.AddColumn(new TableColumn(new Text(heading)) { NoWrap = !isTerminal });
        }

        foreach (string[] row in rows)
        {
            table.AddRow(row.Select(cell => new Text(Printable(cell))));
        }

        return table;
    }

    /// <summary>Names and their values, one below the other.</summary>
    public static void PrintValues(params IEnumerable<(string Name, string Value)> values)
    {
        (string Name, string Value)[] all = [.. values];
        int width = all.Max(value => value.Name.Length);
        foreach ((string name, string value) in all)
        {
            Console.Out.WriteLine($"{name.PadRight(width)}  {Printable(value)}");
        }
    }

    public static void PrintLine(string line) => Console.Out.WriteLine(Printable(line));

    /// <summary>Guests choose the names of files: what would steer a terminal is shown instead.</summary>
    public static string Printable(string text)
    {
        if (!text.Any(IsHidden))
        {
            return text;
        }

        StringBuilder shown = new();
        foreach (char one in text)
        {
            _ = IsHidden(one) ? shown.Append(CultureInfo.InvariantCulture, $"\\u{(int)one:x4}") : shown.Append(one);
        }

        return shown.ToString();
    }

    /// <summary>Control characters, and those that change the direction of what follows.</summary>
    private static bool IsHidden(char one) =>
        char.GetUnicodeCategory(one) is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator
        or UnicodeCategory.ParagraphSeparator;

    private static IAnsiConsole Terminal(bool isTerminal)
    {
        if (isTerminal)
        {
            return AnsiConsole.Console;
        }

        IAnsiConsole plain = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = AnsiSupport.No,
            ColorSystem = ColorSystemSupport.NoColors,
            Interactive = InteractionSupport.No,
            Out = new AnsiConsoleOutput(Console.Out),
        });
        plain.Profile.Width = UnlimitedWidth;
        return plain;
    }
}
