using System.CommandLine;
using System.CommandLine.Completions;
using Coherency.Daemon.Commands.Admin;
using Coherency.Host.Passthrough;

namespace Coherency.Daemon.Commands;

/// <summary>The commands of <c>coherencyd</c> and what they exit with.</summary>
public static class CommandLine
{
    /// <summary>Everything went as asked.</summary>
    public const int Success = 0;

    /// <summary>It started, but failed later.</summary>
    public const int Failure = 1;

    /// <summary>It did not start: the options, the share, a socket or the mount point are wrong. One line says which and why.</summary>
    public const int Unusable = 2;

    /// <summary>It was interrupted before it had done what was asked: 128 + SIGINT, as shells do.</summary>
    public const int Interrupted = 130;

    public static async Task<int> RunAsync(string[] args)
    {
        RootCommand root = new("A virtio-fs daemon: shares one host directory with several virtual machines.")
        {
            new ServeCommand(),
            new MountCommand(),
            new DemoCommand(),
            new AdminCommand(),
            new CompletionCommand(),
        };
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

    private static int Refuse(string why)
    {
        Console.Error.WriteLine($"coherencyd: {why.ReplaceLineEndings(" ")}");
        return Unusable;
    }
}
