using Coherency.Daemon.Hosting;
using Coherency.Host.Coherence.Holdings;

namespace Coherency.Daemon.Reports;

/// <summary>What a running daemon can say of itself, for whoever passes it on: the administration, the dashboard.</summary>
internal sealed class DaemonReports(GuestServer server)
{
    public GuestServer Server { get; } = server;

    public TableReports Tables { get; } = new(server);

    /// <summary>Of the guests whose holdings are recorded; none with <c>--no-holdings</c>.</summary>
    public HoldingsQuery Holdings { get; } = new(
        from guest in server.Guests let held = guest.Held where held is not null select new HeldGuest(guest.Name, guest.Share.Directory, held));
}
