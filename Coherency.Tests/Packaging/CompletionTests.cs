namespace Coherency.Tests.Packaging;

/// <summary>Real shells complete the command line by the scripts that coherencyd prints, from where packages put them.</summary>
public sealed class CompletionTests : IDisposable
{
    /// <summary>Types the second argument and a tab into an interactive zsh that has carried out the first; prints the line then.</summary>
    private const string TypeIntoZsh = """
        zmodload zsh/zpty
        zpty -b shell 'TERM=dumb zsh -f -i'
        zpty -w shell "autoload -U compinit; compinit -u -D; $1
        show() { print -r -- \"<\$BUFFER>\"; exit }; zle -N show; bindkey '^T' show; PROMPT='go''on> '"
        zpty -r shell out '*goon> *'
        zpty -w -n shell "$2"$'\t\x14'
        zpty -r shell out '*<*>*'
        print -r -- ${${out##*\<}%%\>*}
        """;

    private readonly DirectoryInfo _work = Directory.CreateTempSubdirectory("coherency-completion-");

    public CompletionTests()
    {
        string program = Path.Combine(_work.CreateSubdirectory("bin").FullName, "coherencyd");
        File.WriteAllText(program, $"#!/bin/sh\nexec {string.Join(' ', DaemonProgram.Built.Command)} \"$@\"\n");
        File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        Install("zsh", "zsh/_coherencyd");
        Install("fish", "fish/vendor_completions.d/coherencyd.fish");
        Install("bash", "bash/coherencyd");
    }

    public void Dispose() => _work.Delete(recursive: true);

    [Theory]
    [InlineData("coherencyd comp", "coherencyd completion ")]
    [InlineData("coherencyd completion fi", "coherencyd completion fish ")]
    [InlineData("coherencyd serve --shared", "coherencyd serve --shared-dir ")]
    [InlineData("true; coherencyd admin log", "true; coherencyd admin log-level ")]
    public void Zsh_completes(string typed, string completed)
    {
        Assert.Equal(completed + "\n", Run("zsh", "-f", "-c", TypeIntoZsh, "zsh", $"fpath=({_work}/zsh $fpath); compinit -u -D", typed));
        Assert.Equal(completed + "\n", Run("zsh", "-f", "-c", TypeIntoZsh, "zsh", "source <(coherencyd completion zsh)", typed));
    }

    [Theory]
    [InlineData("coherencyd comp", "completion")]
    [InlineData("coherencyd completion fi", "fish")]
    [InlineData("coherencyd serve --shared", "--shared-dir")]
    [InlineData("true; coherencyd admin log", "log-level")]
    public void Fish_completes(string typed, string completed) =>
        Assert.Equal(completed + "\n", Run("fish", "-c", "complete --do-complete $argv[1]", typed));

    /// <summary>As bash-completion loads it: the file, by the command's name, when the command is completed for the first time.</summary>
    [Theory]
    [InlineData("coherencyd", "comp", "completion")]
    [InlineData("coherencyd completion", "fi", "fish")]
    [InlineData("coherencyd serve", "--shared", "--shared-dir")]
    public void Bash_completes(string before, string word, string completed) => Assert.Equal(completed + "\n", Run(
        "bash",
        "-c",
        """
        source "$1/bash/coherencyd"
        COMP_WORDS=($2 "$3") COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMP_LINE="$2 $3" COMP_POINT=$((${#2} + 1 + ${#3}))
        $(complete -p coherencyd | sed 's/.*-F \([^ ]*\).*/\1/') coherencyd "$3" "${COMP_WORDS[-2]}"
        printf '%s\n' "${COMPREPLY[@]}"
        """,
        "bash",
        _work.FullName,
        before,
        word));

    private void Install(string shell, string place)
    {
        string file = Path.Combine(_work.FullName, place);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, DaemonProgram.Built.Run("completion", shell).Output);
    }

    private string Run(string shell, params string[] arguments)
    {
        string path = $"{_work}/bin:{Environment.GetEnvironmentVariable("PATH")}";
        ChildResult result = ChildProcess.Run("env", [$"PATH={path}", $"HOME={_work}", $"XDG_DATA_DIRS={_work}", shell, .. arguments]);
        Assert.True(result.ExitCode == 0, result.Output + result.Errors);
        return result.Output;
    }
}
