using Coherency.Host.Coherence;
using Coherency.Host.Server;
using Coherency.Host.Transports.VhostUser;

namespace Coherency.Daemon.Hosting;

/// <summary>A client of a share, as telemetry sees it.</summary>
/// <param name="Name">The guest's; of a mount on the host, <c>mount:</c> and where it is.</param>
/// <param name="Share">The shared directory.</param>
/// <param name="Loads">Of the guest's queues; a mount has none.</param>
/// <param name="View">The guest's table, if it has one.</param>
internal sealed record ServedClient(string Name, string Share, FuseSession Session, IReadOnlyList<QueueLoad> Loads, TableView? View);
