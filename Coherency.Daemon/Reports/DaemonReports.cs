using Coherency.Daemon.Hosting;
using Coherency.Host.Coherence.Holdings;

namespace Coherency.Daemon.Reports;

/// <summary>What a running daemon can say of itself, for whoever passes it on: the administration, the dashboard.</summary>
internal sealed class DaemonReports : IDisposable
{
    public DaemonReports(GuestServer server)
    {
        Server = server;
        Tables = new TableReports(server, Scans);
    }

    public GuestServer Server { get; }

    /// <summary>Whatever looks at all that guests hold passes it.</summary>
    public ScanGate Scans { get; } = new();

    public TableReports Tables { get; }

    /// <summary>Of the guests whose holdings are recorded, as they are now; none with <c>--no-holdings</c>.</summary>
    public HoldingsQuery Holdings => new(
        from guest in Server.Guests
        let held = guest.Held
        where held is not null
        select new HeldGuest(guest.Name, guest.Share.Directory, held));

    /// <summary>After the last call.</summary>
    public void Dispose()
    {
        Tables.Dispose();
        Scans.Dispose();
    }
}
