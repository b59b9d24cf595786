using System.Globalization;
using Coherency.Core.Fuse;
using Coherency.Core.Versioning;
using Coherency.Core.Versioning.Abi;
using Coherency.Daemon.Configuration;
using Coherency.Daemon.Hosting;
using Coherency.Guest;
using Coherency.Guest.Coherence;
using Coherency.Guest.Fuse;
using Coherency.Guest.VhostUser;
using Xunit;

namespace Coherency.Tests.Hostile;

/// <summary>
/// A daemon with two guests on one share: one attacks, the other works and must not notice. Counts what the process holds,
/// so that a leak shows.
/// </summary>
public sealed class HostileTestBed : IDisposable
{
    private readonly DirectoryInfo _work = Directory.CreateTempSubdirectory("coherency-hostile-");
    private readonly GuestServer _server;
    private readonly VirtioFsGuest _honest;

    public HostileTestBed()
    {
        Directory.CreateDirectory(Share);
        File.WriteAllText(Path.Combine(Share, "file"), "content");
        ShareConfiguration configuration = new()
        {
            SharedDir = Share,
            NumRequestQueues = 1,
            SecurityLabel = true,
            Guests =
            [
                new GuestConfiguration { Name = "evil", Socket = EvilSocket },
                new GuestConfiguration { Name = "honest", Socket = Path.Combine(_work.FullName, "honest.sock") },
            ],
        };
        _server = new GuestServer(new ServeConfiguration { Shares = [configuration] }, Log);
        _honest = VirtioFsGuest.Connect(configuration.Guests[1].Socket);
    }

    internal CollectedLog Log { get; } = new();

    public string Share => Path.Combine(_work.FullName, "share");

    public string EvilSocket => Path.Combine(_work.FullName, "evil.sock");

    /// <summary>Connects the attacker's front end without a word.</summary>
    public VhostUserFrontend Connect(FrontendOptions? options = null) =>
        VhostUserFrontend.Connect(EvilSocket, options ?? new FrontendOptions { QueueSize = 64, MemoryBytes = 1 << 20 });

    /// <summary>Connects the attacker as a working guest.</summary>
    public VirtioFsGuest ConnectGuest() => VirtioFsGuest.Connect(EvilSocket);

    /// <summary>Connects the attacker as a guest whose kernel says which security labels new files have.</summary>
    public VirtioFsGuest ConnectLabellingGuest()
    {
        FuseConnectionOptions usual = new();
        return VirtioFsGuest.Connect(EvilSocket, fuseOptions: usual with { Flags = usual.Flags | FuseInitFlags.SecurityCtx });
    }

    /// <summary>Connects the attacker as a guest that is let do without opens.</summary>
    public VirtioFsGuest ConnectGuestWithoutOpens()
    {
        VirtioFsGuest guest = ConnectGuest();
        using VersionTableReader table = VersionTableReader.Open(EvilSocket + ".table");
        Assert.Equal(AttachFlags.NoOpen, AttachHandshake.Perform(guest.Fuse, table, withoutOpens: true));
        return guest;
    }

    public void ExpectLogged(string fragment) =>
        Assert.True(Log.WaitFor(fragment), $"nothing logged about '{fragment}'; the log ends:\n{Log}");

    public void ExpectHonestGuestWorks() => Assert.Equal("content"u8, _honest.Files.ReadAllBytes("/file"));

    /// <summary>Waits until the daemon has cleaned the attacker's session up.</summary>
    public void WaitForCleanup()
    {
        ExpectLogged("evil: VMM disconnected");
        Log.Clear();
    }

    public void Dispose()
    {
        _honest.Dispose();
        _server.Dispose();

        // Random requests make names that are no text.
        ChildProcess.Run("rm", ["-rf", _work.FullName]);
    }

    /// <summary>What the process holds now.</summary>
    internal static Holdings Count()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
        int descriptors = Directory.GetFiles("/proc/self/fd").Length;
        int threads = Directory.GetDirectories("/proc/self/task").Length;
        string rss = File.ReadLines("/proc/self/status").Single(line => line.StartsWith("VmRSS:", StringComparison.Ordinal));
        long kibibytes = long.Parse(rss.Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2], CultureInfo.InvariantCulture);
        return new Holdings(descriptors, threads, kibibytes);
    }
}

/// <summary>Open descriptors, threads and resident memory of the process.</summary>
internal readonly record struct Holdings(int Descriptors, int Threads, long ResidentKib);
