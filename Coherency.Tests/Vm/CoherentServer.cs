using Coherency.Core.Fuse;
using Coherency.Daemon.Configuration;
using Coherency.Daemon.Hosting;
using Coherency.Guest;
using Coherency.Host.Server;
using Coherency.Host.Server.Statistics;
using Coherency.Tests.Hostile;
using Xunit;

namespace Coherency.Tests.Vm;

/// <summary>
/// What `coherencyd serve` runs, in this process, so that a test can count requests exactly; with `--cache coherent`. Beside the
/// virtual machines it serves a user-space guest, which changes things faster than an emulated one.
/// </summary>
public sealed class CoherentServer : SharingDaemon
{
    public const string UserSpaceGuest = "user-space";

    /// <summary>Replies that a test holds back at a time, and one for the requests that come meanwhile.</summary>
    private const int HeldRepliesMax = 32;

    private readonly CollectedLog _log = new();
    private readonly GuestServer _server;
    private readonly IReadOnlyList<string> _guests;
    private bool _isSpoilt;

    /// <param name="configure">Changes what is otherwise the default.</param>
    public CoherentServer(
        string sharedDirectory, string workFolder, IReadOnlyList<string> guests, int requestQueues = 1,
        Action<ShareConfiguration>? configure = null)
        : base(sharedDirectory, workFolder)
    {
        _guests = [.. guests, UserSpaceGuest];
        ShareConfiguration share = new()
        {
            SharedDir = sharedDirectory,
            Tag = Tag,
            Guests = [.. _guests.Select(guest => new GuestConfiguration { Name = guest, Socket = SocketOf(guest) })],
            NumRequestQueues = requestQueues,
            ThreadPoolSize = HeldRepliesMax,
        };
        configure?.Invoke(share);
        _server = new GuestServer(new ServeConfiguration { Shares = [share] }, _log, Gate.Interposition);
    }

    /// <summary>What the guests' replies go through.</summary>
    public ReplyGate Gate { get; } = new();

    public override bool IsRunning => !_isSpoilt;

    public override string Output => _log.Text;

    public string TableOf(string guest) => SocketOf(guest) + ".table";

    public VirtioFsGuest ConnectUserSpaceGuest() => VirtioFsGuest.Connect(SocketOf(UserSpaceGuest));

    /// <summary>Inodes that a guest was given and has not forgotten, but the root.</summary>
    public int CountHeldInodes(string guest) => _server.Guests[_guests.ToList().IndexOf(guest)].Files?.HeldInodes ?? 0;

    /// <summary>Inodes that the daemon knows of the share.</summary>
    public int CountInodes() => _server.Shares[0].InodeCount;

    /// <summary>
    /// Waits until it knows no inode but the root. If it goes on to know more, that fails, and the next test gets a new server.
    /// </summary>
    public void ExpectAllForgotten(TimeSpan patience)
    {
        _isSpoilt = !SpinWait.SpinUntil(() => CountInodes() == 1, patience);
        Assert.False(_isSpoilt, $"the daemon still knows\n{string.Join('\n', _server.Shares[0].DescribeInodes())}");
    }

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

    /// <summary>Every request of a guest so far, but reports on its caches.</summary>
    public long CountAllRequests(string guest)
    {
        FuseSession session = _server.Endpoints[_guests.ToList().IndexOf(guest)].Session;
        return Enum.GetValues<FuseOpcode>().Sum(opcode => session.Counters[opcode]) - session.CacheReports;
    }

    /// <summary>A request of a guest waits for something to be told.</summary>
    public bool HasWaitingPoll(string guest) => _server.Endpoints[_guests.ToList().IndexOf(guest)].Session.HasWaitingPoll;

    /// <summary>Locks that processes of guests wait for.</summary>
    public int LockWaitsOfClients => _server.LockWaits.AskedCount;

    public override Task PrepareForGuestAsync(string guest) => Task.CompletedTask;

    public override ValueTask DisposeAsync()
    {
        _server.Dispose();
        return ValueTask.CompletedTask;
    }
}
