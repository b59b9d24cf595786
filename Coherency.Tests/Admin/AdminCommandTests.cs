using System.Text.Json;
using Coherency.Daemon.Commands.Remote;
using Coherency.Tests.Daemon;

namespace Coherency.Tests.Admin;

/// <summary>Of what the build leaves.</summary>
public sealed class AdminCommandTests(AdminDaemon daemon) : AdminCommandScenarios(daemon), IClassFixture<AdminDaemon>;

/// <summary><c>coherencyd admin</c>: what people read, what programs read, and what scripts get as exit code.</summary>
public abstract class AdminCommandScenarios(AdminDaemon daemon)
{
    [Fact]
    public void Status_is_a_table_without_control_codes()
    {
        ChildResult result = daemon.Ask("status");
        Assert.Equal(0, result.ExitCode);
        string[] lines = result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(["SHARE", "GUEST"], lines.Select(line => line.Split(' ')[0]).Where(word => word.All(char.IsAsciiLetterUpper)));
        Assert.Contains(lines, line => line.StartsWith($"{daemon.Share} share coherent", StringComparison.Ordinal));
        Assert.Contains(lines, line => line.StartsWith("a     listening", StringComparison.Ordinal));
        Assert.DoesNotContain(result.Output, one => char.IsControl(one) && one != '\n');
    }

    [Theory]
    [InlineData("status", "shares", 1)]
    [InlineData("status", "guests", 2)]
    [InlineData("guests", "guests", 2)]
    [InlineData("table a --heat 16", "heat", 16)]
    public void Programs_get_json(string command, string list, int length)
    {
        ChildResult result = daemon.Ask([.. command.Split(' '), "--json"]);
        Assert.Equal(0, result.ExitCode);
        using JsonDocument json = JsonDocument.Parse(result.Output);
        Assert.Equal(length, json.RootElement.GetProperty(list).GetArrayLength());
    }

    [Theory]
    [InlineData("table a", 0, "slots")]
    [InlineData("invalidate file", 0, "3 slots moved")]
    [InlineData("invalidate --all", 0, "2 guests ask anew")]
    [InlineData("log-level information", 0, "information, was information")]
    [InlineData("disconnect b", 0, "nobody was connected")]
    [InlineData("drain b", 0, "drained: 0 requests")]
    [InlineData("drain b --resume", 0, "resumed")]
    [InlineData("table nobody", 1, "there is no guest nobody, but a, b (NotFound)")]
    [InlineData("invalidate absent/file", 1, "symbolic links are not followed")]
    [InlineData("invalidate", 2, "give PATH")]
    [InlineData("invalidate file --all", 2, "give PATH")]
    [InlineData("inspect", 2, "give PATH or --node ID")]
    [InlineData("inspect --node xyz", 2, "hexadecimal")]
    [InlineData("stale --kind nonsense", 2, "dentry, negative-dentry, attributes, symlink, directory are possible")]
    [InlineData("stale --min-age 3x", 2, "3x is no time")]
    [InlineData("table", 2, "GUEST")]
    [InlineData("dance", 2, "dance")]
    public void A_command_has_its_exit_code(string command, int exitCode, string expected)
    {
        ChildResult result = daemon.Ask(command.Split(' '));
        Assert.True(result.ExitCode == exitCode, result.Output + result.Errors);
        Assert.Contains(expected, exitCode == 0 ? result.Output : result.Errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/nowhere.sock", "there is no such socket")]
    [InlineData("/etc/passwd", "nobody listens there")]
    public void Without_a_daemon_the_exit_code_is_3(string socket, string expected)
    {
        ChildResult result = daemon.Program.Run("admin", "--socket", socket, "status");
        Assert.Equal(3, result.ExitCode);
        Assert.Contains(
            expected, Assert.Single(result.Errors.Split('\n', StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);
    }

    [Fact]
    public void What_would_steer_a_terminal_is_shown_instead() => Assert.Equal(
        @"a\u001b[31mb\u202ec\u000ad é 漢", AdminOutput.Printable("a\u001b[31mb\u202ec\nd é 漢"));

    [Fact]
    public void A_shell_completes_commands_and_names_of_guests()
    {
        Assert.Contains("status", Suggest("coherencyd admin "));
        Assert.Equal(["a", "b"], Suggest($"coherencyd admin --socket {daemon.Socket} table ").Where(word => word.Length == 1));
        Assert.Contains("negative-dentry", Suggest("coherencyd admin stale --kind "));
    }

    [Fact]
    public void Bash_completes_by_the_script()
    {
        const string Ask = """
            coherencyd() { $PROGRAM "$@"; }
            source <(coherencyd completion bash)
            COMP_LINE='coherencyd admin sta' COMP_POINT=20 COMP_WORDS=(coherencyd admin sta) COMP_CWORD=2
            _coherencyd
            printf '%s\n' "${COMPREPLY[@]}"
            """;
        ChildResult result = ChildProcess.Run("env", [$"PROGRAM={string.Join(' ', daemon.Program.Command)}", "bash", "-c", Ask]);
        Assert.Equal(["stale", "status"], result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Order());
    }

    [Theory]
    [InlineData("bash")]
    [InlineData("zsh")]
    [InlineData("fish")]
    public void Each_shell_has_a_script(string shell)
    {
        ChildResult result = daemon.Program.Run("completion", shell);
        Assert.Equal(0, result.ExitCode);
        Assert.Contains($"command line in {shell}", result.Output, StringComparison.Ordinal);
    }

    private string[] Suggest(string line) =>
        daemon.Program.Run($"[suggest:{line.Length}]", line).Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
}
