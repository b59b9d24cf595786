using System.Text.Json;
using Coherency.Core.Attaching;
using Coherency.Daemon.Configuration;
using Coherency.Daemon.Hosting;
using Coherency.Daemon.Telemetry.Instruments;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Coherency.Daemon.Instances;

/// <summary>Keeps what a daemon tells of itself true, from when it is ready until it ends.</summary>
/// <param name="adminSocket">Null when it has none.</param>
/// <param name="attaches">Keepers may attach guests.</param>
internal sealed partial class InstanceAnnouncement(
    InstanceFolder folder, string? adminSocket, bool attaches, GuestServer server, ILoggerFactory loggers) : IHostedService
{
    private readonly ILogger _log = loggers.CreateLogger("coherencyd");
    private readonly Lock _lock = new();

    public Task StartAsync(CancellationToken cancellationToken)
    {
        server.MembershipChanged += Write;
        Write();
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken)
    {
        server.MembershipChanged -= Write;
        lock (_lock)
        {
            File.Delete(folder.InfoFile);
        }

        return Task.CompletedTask;
    }

    private void Write()
    {
        try
        {
            lock (_lock)
            {
                InstanceInfo info = new(
                    folder.Name, TelemetryResource.Version, Environment.ProcessId, adminSocket,
                    attaches ? AttachPlace.SocketIn(folder.Path) : null,
                    [.. server.Guests.GroupBy(guest => guest.Share.Directory).Select(
                        share => new InstanceShare(share.Key, [.. share.Select(guest => guest.Name)]))]);
                AtomicFile.Write(
                    folder.InfoFile, JsonSerializer.SerializeToUtf8Bytes(info, InstanceJson.Default.InstanceInfo), outlivesTheHost: false);
            }
        }
        catch (Exception unwritable) when (unwritable is IOException or UnauthorizedAccessException)
        {
            LogUnwritable(_log, folder.InfoFile, unwritable.Message);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "{File} cannot be written, so 'coherencyd list' tells nothing new: {Problem}")]
    private static partial void LogUnwritable(ILogger log, string file, string problem);
}
