using System.CommandLine;
using Coherency.Daemon.Configuration;
using Grpc.Core;
using Grpc.Net.Client;
using AdminClient = Coherency.Admin.V1.Admin.AdminClient;

namespace Coherency.Daemon.Commands.Remote;

/// <summary>One question to a daemon, or one order.</summary>
internal abstract class AdminSubcommand : Command
{
    /// <summary>Of calls that are answered at once.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly AdminOptions _options;

    protected AdminSubcommand(string name, string description, AdminOptions options)
        : base(name, description)
    {
        _options = options;
        SetAction(RunAsync);
    }

    /// <returns>The exit code.</returns>
    protected abstract Task<int> RunAsync(ParseResult parsed, AdminClient daemon, AdminOutput output, CancellationToken cancellation);

    /// <summary>The exit code after Ctrl-C: whoever follows a stream ends it this way.</summary>
    protected virtual int WhenInterrupted(ParseResult parsed) => ExitCodes.Interrupted;

    /// <summary>For calls that are answered at once.</summary>
    protected static CallOptions Within(CancellationToken cancellation) =>
        new(deadline: DateTime.UtcNow + Patience, cancellationToken: cancellation);

    private async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellation)
    {
        string socket = _options.Socket(parsed);
        using GrpcChannel channel = AdminChannel.Open(socket);
        // Of its own: the parser's handling of signals is switched off, for the daemon has one.
        using CancellationTokenSource interrupted = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        Console.CancelKeyPress += Interrupt;
        try
        {
            return await RunAsync(parsed, new AdminClient(channel), _options.Output(parsed), interrupted.Token).ConfigureAwait(false);
        }
        catch (Exception ended) when (interrupted.IsCancellationRequested && ended is (OperationCanceledException or RpcException))
        {
            return WhenInterrupted(parsed);
        }
        catch (RpcException unreachable) when (AdminChannel.WhyUnreachable(unreachable) is { } why)
        {
            Console.Error.WriteLine(
                $"coherencyd: no daemon answers at {socket}: {why}. Is one running, as this user ('coherencyd list')?");
            return AdminCommand.NoDaemon;
        }
        catch (RpcException refused)
        {
            Console.Error.WriteLine($"coherencyd: {AdminOutput.Printable(refused.Status.Detail)} ({refused.StatusCode})");
            // It stops, or did while it was asked.
            return refused.StatusCode == StatusCode.Unavailable ? AdminCommand.NoDaemon : ExitCodes.Failure;
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
