using System.Diagnostics;
using System.Globalization;
using System.Text;
using Coherency.Tests.Daemon;

namespace Coherency.Tests.Admin;

/// <summary><c>coherencyd admin top</c> of a daemon with two guests that work: on a terminal, and in a pipe.</summary>
public sealed class TopCommandTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly LoadedDaemon _daemon = new();

    public void Dispose() => _daemon.Dispose();

    [Fact]
    public void A_script_gets_one_table_of_what_guests_did()
    {
        ChildResult result = _daemon.Ask("top", "--once", "--interval", "3s");
        Assert.True(result.ExitCode == 0, result.Errors);
        Assert.DoesNotContain(result.Output, one => char.IsControl(one) && one != '\n');
        string[] lines = result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(
            ["GUEST", "STATE", "REQUESTS/S", "P50", "P99", "ERRORS/S", "STALE", "HELD", "WAITING", "DESCRIPTORS"],
            lines[0].Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal(3, lines.Length);
        Assert.All(lines[1..], line => Assert.Contains(" mounted ", line, StringComparison.Ordinal));
        string build = Assert.Single(lines, line => line.StartsWith("build", StringComparison.Ordinal));
        Assert.All(
            (string[])["REQUESTS/S", "P50", "P99"],
            heading => Assert.InRange(ValueOf(lines[0], build, heading), 0.01, double.MaxValue));
    }

    [Theory]
    [InlineData("held")]
    [InlineData("requests")]
    public void Rows_are_sorted_by_what_is_asked_for(string column)
    {
        ChildResult result = _daemon.Ask("top", "--once", "--interval", "1s", "--sort", column);
        string[] lines = result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        double[] values = [.. lines[1..].Select(line => ValueOf(lines[0], line, column.ToUpperInvariant()))];
        Assert.Equal(2, values.Length);
        Assert.True(values[0] >= values[1], result.Output);
        Assert.NotEqual(0, values[0]);
    }

    [Fact]
    public void Programs_get_the_messages_of_the_contract()
    {
        ChildResult result = _daemon.Ask("top", "--once", "--interval", "100ms", "--json");
        Assert.Equal(0, result.ExitCode);
        Coherency.Admin.V1.ListGuestsResponse answer = Coherency.Admin.V1.ListGuestsResponse.Parser.ParseJson(result.Output);
        Assert.Equal(["web", "build"], answer.Guests.Select(guest => guest.Name));
        Assert.All(answer.Guests, guest => Assert.NotEmpty(guest.Operations));
        Assert.All(
            answer.Guests.SelectMany(guest => guest.Operations),
            operation => Assert.Equal(answer.DurationBoundsSeconds.Count + 1, operation.Durations.Count));
    }

    [Theory]
    [InlineData("top --interval 1ms", "at least 100ms")]
    [InlineData("top --sort beauty", "beauty")]
    public void What_makes_no_sense_is_refused(string command, string expected)
    {
        ChildResult result = _daemon.Ask(command.Split(' '));
        Assert.Equal(2, result.ExitCode);
        Assert.Contains(expected, result.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public void A_pipe_gets_tables_until_the_daemon_is_gone()
    {
        using Process top = Start("dotnet", [RunningDaemon.Program, "admin", "--socket", _daemon.Socket, "top", "--interval", "200ms"]);
        for (int tables = 0; tables < 2;)
        {
            string line = top.StandardOutput.ReadLine() ?? throw new InvalidOperationException(top.StandardError.ReadToEnd());
            tables += line.StartsWith("GUEST", StringComparison.Ordinal) ? 1 : 0;
        }

        _daemon.Stop();
        string rest = top.StandardOutput.ReadToEnd();
        Assert.True(top.WaitForExit(Patience));
        Assert.StartsWith("coherencyd: ", top.StandardError.ReadToEnd(), StringComparison.Ordinal);
        Assert.Equal(3, top.ExitCode);
        Assert.DoesNotContain('\u001b', rest);
    }

    [Theory]
    [InlineData("q")]
    [InlineData("\u0003")]
    public void A_key_ends_it_and_leaves_the_terminal_as_it_was(string key) => OnTerminal(input => input.Write(key), expectedExitCode: 0);

    [Fact]
    public void A_terminal_is_as_it_was_when_the_daemon_is_gone() => OnTerminal(_ => _daemon.Stop(), expectedExitCode: 3);

    /// <summary>The number below a heading, without its unit.</summary>
    private static double ValueOf(string headings, string row, string heading) => double.Parse(
        row[headings.IndexOf(heading, StringComparison.Ordinal)..].Split(' ')[0], NumberStyles.Number, CultureInfo.InvariantCulture);

    /// <summary>Runs it on a terminal of util-linux' script(1), and ends it when the guests are there.</summary>
    private void OnTerminal(Action<StreamWriter> end, int expectedExitCode)
    {
        string top = $"dotnet {RunningDaemon.Program} admin --socket {_daemon.Socket} top --interval 200ms";
        // A shell that a terminal's SIGINT ends, as dash, would not say what comes after.
        string command = $"trap : INT; stty cols 150 rows 40; stty -g; {top}; code=$?; echo; stty -g; exit $code";
        using Process script = Start("script", ["--quiet", "--return", "--echo", "never", "--command", command, "/dev/null"]);
        StringBuilder shown = new();
        ReadUntil(script, shown, text => ((string[])["REQUESTS/S", "build"]).All(text.Contains));
        end(script.StandardInput);
        script.StandardInput.Flush();
        ReadUntil(script, shown, _ => false);
        Assert.True(script.WaitForExit(Patience));
        Assert.True(script.ExitCode == expectedExitCode, shown.ToString());
        string[] settings = [.. shown.ToString().Split('\n').Select(line => line.Trim()).Where(line => line.Count(one => one == ':') > 10)];
        Assert.Equal(2, settings.Length);
        Assert.Equal(settings[0], settings[1]);
        string[] cursor = shown.ToString().Split("\u001b[?25");
        Assert.StartsWith("h", cursor[^1], StringComparison.Ordinal);
    }

    private static void ReadUntil(Process script, StringBuilder shown, Func<string, bool> isEnough)
    {
        char[] buffer = new char[4096];
        while (!isEnough(shown.ToString()) && script.StandardOutput.Read(buffer) is > 0 and int read)
        {
            shown.Append(buffer, 0, read);
        }
    }

    private static Process Start(string program, string[] arguments) => Process.Start(new ProcessStartInfo(program, arguments)
    {
        RedirectStandardInput = true,
        RedirectStandardOutput = true,
        RedirectStandardError = true,
        Environment = { ["TERM"] = "xterm-256color", ["LC_ALL"] = "C.UTF-8" },
    })!;
}
