using Coherency.Core.Versioning;
using Coherency.Daemon.Configuration;
using Coherency.Daemon.Hosting;
using Coherency.Guest;
using Coherency.Guest.Coherence;
using Coherency.Tests.Hostile;

namespace Coherency.Tests.Daemon;

/// <summary>What <c>coherencyd serve</c> runs, in this process, and guests in user space that cache by its tables.</summary>
internal sealed class ServedCaches : IDisposable
{
    private readonly DirectoryInfo _work = Directory.CreateTempSubdirectory("coherency-served-");
    private readonly List<IDisposable> _guests = [];
    private readonly List<CoherentCache> _caches = [];

    /// <param name="directories">Of each guest; guests of one directory are guests of one share.</param>
    public ServedCaches(params string[] directories)
    {
        string[] sockets = [.. directories.Select((_, i) => Path.Combine(_work.FullName, $"{i}.sock"))];
        Server = new GuestServer(
            new ServeConfiguration
            {
                Shares =
                    [.. directories.Zip(sockets).GroupBy(pair => pair.First, pair => pair.Second).Select(share => new ShareConfiguration
                {
                    SharedDir = share.Key,
                    Guests = [.. share.Select(socket => new GuestConfiguration { Name = Path.GetFileName(socket), Socket = socket })],
                })],
            },
            Log);
        foreach (string socket in sockets)
        {
            Attach(socket);
        }
    }

    public CollectedLog Log { get; } = new();

    public GuestServer Server { get; }

    public IReadOnlyList<VirtioFsGuest> Guests => [.. _guests.OfType<VirtioFsGuest>()];

    public CoherentCache this[int guest] => _caches[guest];

    public void Dispose()
    {
        foreach (IDisposable part in Enumerable.Reverse(_guests))
        {
            part.Dispose();
        }

        Server.Dispose();
        _work.Delete(recursive: true);
    }

    private void Attach(string socket)
    {
        VirtioFsGuest guest = VirtioFsGuest.Connect(socket);
        VersionTableReader table = VersionTableReader.Open(socket + ".table");
        CoherentCache cache = CoherentCache.Attach(guest.Fuse, table);
        _guests.AddRange([guest, table, cache]);
        _caches.Add(cache);
    }
}
