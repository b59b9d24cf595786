using System.CommandLine;
using System.Reflection;

namespace Coherency.Daemon.Commands;

/// <summary><c>coherencyd completion</c>: prints what teaches a shell to complete its command line.</summary>
internal sealed class CompletionCommand : Command
{
    private readonly Argument<Shell> _shell = new("SHELL")
    {
        Description = "bash: source <(coherencyd completion bash); zsh: the same; fish: coherencyd completion fish | source",
    };

    public CompletionCommand()
        : base("completion", "Print a script that completes commands, options and names of guests in a shell")
    {
        Arguments.Add(_shell);
        SetAction(parsed => Console.Out.Write(ReadScript(parsed.GetRequiredValue(_shell))));
    }

    private enum Shell
    {
        Bash,
        Zsh,
        Fish,
    }

    private static string ReadScript(Shell shell)
    {
        string name = $"completion.{Enum.GetName(shell)!.ToLowerInvariant()}";
        using Stream script = Assembly.GetExecutingAssembly().GetManifestResourceStream(name)!;
        using StreamReader reader = new(script);
        return reader.ReadToEnd();
    }
}
