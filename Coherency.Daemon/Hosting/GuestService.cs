using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Coherency.Daemon.Hosting;

/// <summary>Has the guests served when the host starts: the first service that does makes the server, which ends with the host.</summary>
internal sealed partial class GuestService(GuestServer server, ILoggerFactory loggers) : IHostedService
{
    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken)
    {
        long requests = server.Endpoints.Sum(endpoint => endpoint.Session.Counters.Total);
        ILogger log = loggers.CreateLogger("coherencyd");
        LogStopping(log, requests);
        return Task.CompletedTask;
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Stopping after {Requests} requests")]
    private static partial void LogStopping(ILogger log, long requests);
}
