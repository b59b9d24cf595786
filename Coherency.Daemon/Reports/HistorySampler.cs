using Microsoft.Extensions.Hosting;

namespace Coherency.Daemon.Reports;

/// <summary>Keeps the history going while the daemon runs.</summary>
internal sealed class HistorySampler(RequestHistory history, IDaemonState state, TimeProvider time) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using PeriodicTimer timer = new(RequestHistory.Interval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken).ConfigureAwait(false))
            {
                history.Sample(state.CountRequests());
            }
        }
        catch (OperationCanceledException)
        {
            // That is how it ends.
        }
    }
}
