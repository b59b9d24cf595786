using System.CommandLine;
using System.CommandLine.Completions;
using System.Text.Json;
using Coherency.Daemon.Commands.Remote;
using Coherency.Daemon.Configuration;
using Coherency.Host.Passthrough;

namespace Coherency.Daemon.Commands;

/// <summary>The commands of <c>coherencyd</c>.</summary>
public static class CommandLine
{
    public static async Task<int> RunAsync(string[] args)
    {
        RootCommand root = Describe();
        ParseResult parsed = root.Parse(args);
        // A shell asks what could stand in a command line that is not finished.
        if (parsed.Errors.Count > 0 && !root.Directives.OfType<SuggestDirective>().Any(suggest => parsed.GetResult(suggest) is not null))
        {
            return Refuse(parsed.UnmatchedTokens is [string unknown, ..]
                ? $"'{unknown}' is no command or option here: see --help"
                : parsed.Errors[0].Message);
        }

        // Signals are the host's business: a second handler here would race with it for the exit code.
        InvocationConfiguration invocation = new() { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null };
        try
        {
            return await parsed.InvokeAsync(invocation).ConfigureAwait(false);
        }
        catch (Exception unusable) when (unusable is UsageException or ShareException or IOException or UnauthorizedAccessException)
        {
            return Refuse(unusable.Message);
        }
    }

    /// <summary>All commands with their options.</summary>
    internal static RootCommand Describe()
    {
        RootCommand root = new("A virtio-fs daemon: shares one host directory with several virtual machines.")
        {
            new ServeCommand(),
            new ServeOneCommand(),
            new MountCommand(),
            new DemoCommand(),
            new AdminCommand(),
            new ListCommand(),
            new SchemaCommand(),
            new CompletionCommand(),
        };
        SpellChoices(root);
        return root;
    }

    /// <summary>Help and shells show choices as people write them; what they write is read in any case.</summary>
    private static void SpellChoices(Command command)
    {
        foreach (Option option in command.Options)
        {
            SpellChoices(option.ValueType, option.CompletionSources);
        }

        foreach (Argument argument in command.Arguments)
        {
            SpellChoices(argument.ValueType, argument.CompletionSources);
        }

        foreach (Command inner in command.Subcommands)
        {
            SpellChoices(inner);
        }
    }

    private static void SpellChoices(Type type, List<Func<CompletionContext, IEnumerable<CompletionItem>>> sources)
    {
        Type choice = Nullable.GetUnderlyingType(type) ?? type;
        if (choice.IsEnum)
        {
            sources.Clear();
            sources.Add(_ => Enum.GetNames(choice).Select(name => new CompletionItem(JsonNamingPolicy.CamelCase.ConvertName(name))));
        }
    }

    private static int Refuse(string why)
    {
        Console.Error.WriteLine($"coherencyd: {why.ReplaceLineEndings(" ")}");
        return ExitCodes.Unusable;
    }
}
