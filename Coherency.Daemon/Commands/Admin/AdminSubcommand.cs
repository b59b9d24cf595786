using System.CommandLine;
using Coherency.Daemon.Grpc;
using Coherency.Daemon.Grpc.Client;

namespace Coherency.Daemon.Commands.Admin;

/// <summary>One question to a daemon, or one order.</summary>
internal abstract class AdminSubcommand : Command
{
    /// <summary>Of calls that are answered at once.</summary>
    protected static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly AdminOptions _options;

    protected AdminSubcommand(string name, string description, AdminOptions options)
        : base(name, description)
    {
        _options = options;
        SetAction(RunAsync);
    }

    /// <returns>The exit code.</returns>
    protected abstract Task<int> RunAsync(ParseResult parsed, GrpcChannel daemon, AdminOutput output, CancellationToken cancellation);

    /// <summary>The exit code after Ctrl-C: whoever follows a stream ends it this way.</summary>
    protected virtual int WhenInterrupted(ParseResult parsed) => CommandLine.Interrupted;

    private async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellation)
    {
        string socket = _options.Socket(parsed);
        using GrpcChannel daemon = GrpcChannel.ForUnixSocket(socket);
        // Of its own: the parser's handling of signals is switched off, for the daemon has one.
        using CancellationTokenSource interrupted = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        Console.CancelKeyPress += Interrupt;
        try
        {
            return await RunAsync(parsed, daemon, _options.Output(parsed), interrupted.Token).ConfigureAwait(false);
        }
        catch (Exception ended) when (interrupted.IsCancellationRequested && ended is (OperationCanceledException or RpcException))
        {
            return WhenInterrupted(parsed);
        }
        catch (RpcException unreachable) when (unreachable.IsUnreachable)
        {
            Console.Error.WriteLine($"coherencyd: no daemon answers at {socket}: {unreachable.Status.Detail}. Is one running, as this user, with that --admin-socket?");
            return AdminCommand.NoDaemon;
        }
        catch (RpcException refused)
        {
            Console.Error.WriteLine($"coherencyd: {AdminOutput.Printable(refused.Status.Detail)} ({refused.StatusCode})");
            return CommandLine.Failure;
        }
        finally
        {
            Console.CancelKeyPress -= Interrupt;
        }

        void Interrupt(object? sender, ConsoleCancelEventArgs pressed)
        {
            pressed.Cancel = true;
            interrupted.Cancel();
        }
    }
}
