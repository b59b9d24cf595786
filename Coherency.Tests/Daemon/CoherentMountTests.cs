using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;
using Coherency.Core.Versioning;
using Coherency.Daemon.Configuration;
using Coherency.Daemon.Hosting;
using Coherency.Guest;
using Coherency.Guest.Coherence;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit.Abstractions;

namespace Coherency.Tests.Daemon;

/// <summary>Two mounts of the host's kernel and a guest on one share: each sees what the others change, at once.</summary>
[Trait("Category", "Root")]
[Collection(TimedTests.Name)]
public sealed class CoherentMountTests : IDisposable
{
    private readonly DirectoryInfo _work = Directory.CreateTempSubdirectory("coherency-mounts-");
    private readonly ITestOutputHelper _output;
    private readonly GuestServer _server;
    private readonly VirtioFsGuest _guest;
    private readonly VersionTableReader _table;
    private readonly CoherentCache _cache;
    private readonly string _share;
    private readonly string _first;
    private readonly string _second;

    public CoherentMountTests(ITestOutputHelper output)
    {
        _output = output;
        _share = _work.CreateSubdirectory("share").FullName;
        _first = _work.CreateSubdirectory("first").FullName;
        _second = _work.CreateSubdirectory("second").FullName;
        string socket = Path.Combine(_work.FullName, "a.sock");
        ShareConfiguration share = new()
        {
            SharedDir = _share,
            Guests = [new GuestConfiguration { Name = "a", Socket = socket }],
            Mounts = [_first, _second],
        };
        _server = new GuestServer(new ServeConfiguration { Shares = [share] }, NullLoggerFactory.Instance);
        _guest = VirtioFsGuest.Connect(socket);
        _table = VersionTableReader.Open(socket + ".table");
        _cache = CoherentCache.Attach(_guest.Fuse, _table);
    }

    public void Dispose()
    {
        _cache.Dispose();
        _table.Dispose();
        _guest.Dispose();
        _server.Dispose();
        _work.Delete(recursive: true);
    }

    [Fact]
    public void What_is_unchanged_costs_the_mounts_nothing_after_two_looks()
    {
        for (int i = 0; i < 100; i++)
        {
            File.WriteAllText(Path.Combine(_share, $"file{i}"), "text");
        }

        // The first look finds the names, the second their attributes.
        Look();
        Look();
        long requests = MountRequests();
        Look();
        Look();
        _output.WriteLine($"200 stats and 200 absent names: {MountRequests() - requests} requests");
        Assert.Equal(requests, MountRequests());

        void Look()
        {
            for (int i = 0; i < 100; i++)
            {
                Assert.Equal(4, new FileInfo(Path.Combine(_first, $"file{i}")).Length);
                Assert.False(File.Exists(Path.Combine(_first, $"none{i}")));
            }
        }
    }

    [Fact]
    public void A_guests_changes_are_seen_by_a_mount_at_once()
    {
        const int Rounds = 3000;
        string path = Path.Combine(_first, "file");
        NodeId file = _cache.CreateFile(NodeId.Root, "file");
        int stale = 0;
        for (int i = 1; i <= Rounds; i++)
        {
            stale += new FileInfo(path).Exists ? 0 : 1;
            _cache.SetAttributes(file, new fuse_setattr_in { valid = (uint)FuseSetAttrValid.Size, size = (ulong)i });
            stale += new FileInfo(path).Length == i ? 0 : 1;
            _cache.Rename(NodeId.Root, "file", NodeId.Root, "other");
            stale += File.Exists(path) ? 1 : 0;
            stale += File.Exists(Path.Combine(_first, "other")) ? 0 : 1;
            _cache.Rename(NodeId.Root, "other", NodeId.Root, "file");
        }

        _output.WriteLine($"{3 * Rounds} changes by a guest, looked at through a mount: {stale} stale answers");
        Assert.Equal(0, stale);
    }

    [Fact]
    public void A_mounts_changes_are_seen_by_a_guest_and_the_other_mount_at_once()
    {
        const int Rounds = 2000;
        string file = Path.Combine(_first, "file");
        string seen = Path.Combine(_second, "file");
        int stale = 0;
        for (int i = 0; i < Rounds; i++)
        {
            File.WriteAllText(file, $"{i}");
            stale += File.ReadAllText(seen) == $"{i}" ? 0 : 1;
            stale += _cache.GetAttributes(_cache.Lookup(NodeId.Root, "file")!.Value).size == (ulong)$"{i}".Length ? 0 : 1;
            File.Delete(file);
            stale += File.Exists(seen) ? 1 : 0;
            stale += _cache.Lookup(NodeId.Root, "file") is null ? 0 : 1;
        }

        _output.WriteLine($"{2 * Rounds} changes through a mount, looked at by a guest and another mount: {stale} stale answers");
        Assert.Equal(0, stale);
    }

    /// <summary>A listing brings no names that the kernel then believes: they may be older than a change it was told of.</summary>
    [Fact]
    public async Task Names_that_are_listed_while_they_change_are_not_believed()
    {
        string path = Path.Combine(_first, "file");
        NodeId[] files = [_cache.CreateFile(NodeId.Root, "file"), _cache.CreateFile(NodeId.Root, "other")];
        using CancellationTokenSource stop = new();
        Task[] listings = [.. Enumerable.Range(0, 2).Select(_ => Task.Run(() =>
        {
            while (!stop.IsCancellationRequested)
            {
                Directory.GetFileSystemEntries(_first);
            }
        }))];
        int stale = 0;
        for (int i = 1; i <= 2000; i++)
        {
            _cache.Rename(NodeId.Root, "file", NodeId.Root, "other", OpenFlags.RENAME_EXCHANGE);
            _cache.SetAttributes(files[i % 2], new fuse_setattr_in { valid = (uint)FuseSetAttrValid.Size, size = (ulong)i });
            stale += new FileInfo(path).Length == i ? 0 : 1;
        }

        await stop.CancelAsync();
        await Task.WhenAll(listings);
        Assert.Equal(0, stale);
    }

    /// <summary>Notifications that took locks would make the two wait for each other.</summary>
    [Fact]
    public async Task Mounts_and_a_guest_that_change_the_same_directory_do_not_wait_for_each_other()
    {
        Task[] storms =
        [
            .. new[] { _first, _second, _first, _second }.Select((mount, n) => Task.Run(() =>
            {
                for (int i = 0; i < 500; i++)
                {
                    string path = Path.Combine(mount, $"file{i % 5}");
                    File.WriteAllText(Path.Combine(mount, $"own{n}"), $"{i}");
                    File.Move(Path.Combine(mount, $"own{n}"), path, overwrite: true);
                    Directory.GetFiles(mount);
                }
            })),
            Task.Run(() =>
            {
                for (int i = 0; i < 2000; i++)
                {
                    _cache.CreateFile(NodeId.Root, "guest");
                    _cache.Rename(NodeId.Root, "guest", NodeId.Root, $"file{i % 5}");
                }
            }),
        ];
        await Task.WhenAll(storms).WaitAsync(TimeSpan.FromSeconds(120));
        Assert.Equal(
            Directory.GetFiles(_share).Select(Path.GetFileName).Order(), Directory.GetFiles(_second).Select(Path.GetFileName).Order());
    }

    private long MountRequests() => _server.Mounts.Sum(mount => mount.Session.Counters.Total);
}
