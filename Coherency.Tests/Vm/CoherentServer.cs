using Coherency.Core.Fuse;
using Coherency.Daemon.Configuration;
using Coherency.Daemon.Hosting;
using Coherency.Guest;
using Coherency.Host.Server;
using Coherency.Tests.Hostile;

namespace Coherency.Tests.Vm;

/// <summary>
/// What `coherencyd serve` runs, in this process, so that a test can count requests exactly; with `--cache coherent`. Beside the
/// virtual machines it serves a user-space guest, which changes things faster than an emulated one.
/// </summary>
public sealed class CoherentServer : DaemonProcess
{
    private const string UserSpaceGuest = "user-space";

    private readonly CollectedLog _log = new();
    private readonly GuestServer _server;
    private readonly IReadOnlyList<string> _guests;

    /// <param name="configure">Changes what is otherwise the default.</param>
    public CoherentServer(
        string sharedDirectory, string workFolder, IReadOnlyList<string> guests, int requestQueues = 1, Action<ShareConfiguration>? configure = null)
        : base(sharedDirectory, workFolder)
    {
        _guests = [.. guests, UserSpaceGuest];
        ShareConfiguration share = new()
        {
            SharedDir = sharedDirectory,
            Tag = Tag,
            Guests = [.. _guests.Select(guest => new GuestConfiguration { Name = guest, Socket = SocketOf(guest) })],
            NumRequestQueues = requestQueues,
        };
        configure?.Invoke(share);
        _server = new GuestServer(new ServeConfiguration { Shares = [share] }, _log);
    }

    public override bool IsRunning => true;

    public override string Output => _log.Text;

    public string TableOf(string guest) => SocketOf(guest) + ".table";

    public VirtioFsGuest ConnectUserSpaceGuest() => VirtioFsGuest.Connect(SocketOf(UserSpaceGuest));

    /// <summary>Makes every guest ask anew for everything, as if nobody knew what a program of the host had changed.</summary>
    public void LoseHostChanges() => _server.Shares[0].Group.Lost();

    /// <summary>
    /// Requests of a guest so far, but those that no program waits for: FORGETs, reports on its caches, and reports of files that
    /// stay open, which are SETXATTRs, as no test that counts sends others.
    /// </summary>
    public Dictionary<FuseOpcode, long> CountRequests(string guest)
    {
        FuseSession session = _server.Endpoints[_guests.ToList().IndexOf(guest)].Session;
        RequestCounters counters = session.Counters;
        long reports = session.CacheReports;
        return Enum.GetValues<FuseOpcode>()
            .Where(opcode => opcode is not (FuseOpcode.Forget or FuseOpcode.BatchForget or FuseOpcode.SetXattr) && counters[opcode] > 0)
            .ToDictionary(opcode => opcode, opcode => counters[opcode] - (opcode == FuseOpcode.GetXattr ? reports : 0));
    }

    public override Task PrepareForGuestAsync(string guest) => Task.CompletedTask;

    public override ValueTask DisposeAsync()
    {
        _server.Dispose();
        return ValueTask.CompletedTask;
    }
}
