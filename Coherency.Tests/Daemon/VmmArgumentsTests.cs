using System.Globalization;
using System.Numerics;
using System.Text.RegularExpressions;
using Coherency.Daemon.Configuration;
using Coherency.Daemon.Hosting;
using Coherency.Host.Server;
using Microsoft.Extensions.Logging.Abstractions;

namespace Coherency.Tests.Daemon;

/// <summary>What people are told to add to their VMM's command line.</summary>
public sealed partial class VmmArgumentsTests : IDisposable
{
    private readonly DirectoryInfo _work = Directory.CreateTempSubdirectory("coherency-arguments-");

    public void Dispose() => _work.Delete(recursive: true);

    /// <summary>Cloud Hypervisor maps what is there when the machine starts, and refuses a size that is no power of two.</summary>
    [Fact]
    public void Cloud_Hypervisor_is_told_of_the_table_that_is_there()
    {
        ShareConfiguration share = Share(CacheMode.Coherent);
        string[] lines = [.. VmmArguments.Describe(share, share.Guests[0])];
        string line = Assert.Single(lines, line => line.Contains("Cloud Hypervisor", StringComparison.Ordinal));
        Assert.Contains(
            $"--memory size=SIZE,shared=on --fs tag=code,socket={share.Guests[0].Socket},num_queues=3,queue_size=1024 --ivshmem ", line,
            StringComparison.Ordinal);
        using GuestServer server = new(new ServeConfiguration { Shares = [share] }, NullLoggerFactory.Instance);
        Match table = Table().Match(line);
        long bytes = long.Parse(table.Groups[2].Value, CultureInfo.InvariantCulture);
        Assert.True(BitOperations.IsPow2(bytes));
        Assert.Equal(bytes, new FileInfo(table.Groups[1].Value).Length);
    }

    [Fact]
    public void Who_is_not_coherent_needs_no_table()
    {
        ShareConfiguration share = Share(CacheMode.Never);
        Assert.DoesNotContain(VmmArguments.Describe(share, share.Guests[0]), line => line.Contains("ivshmem", StringComparison.Ordinal));
    }

    [GeneratedRegex(@"--ivshmem path=(\S+),size=(\d+)$")]
    private static partial Regex Table();

    private ShareConfiguration Share(CacheMode cache) => new()
    {
        SharedDir = _work.CreateSubdirectory("share").FullName,
        Tag = "code",
        Cache = cache,
        NumRequestQueues = 3,
        Guests = [new GuestConfiguration { Name = "a", Socket = Path.Combine(_work.FullName, "a.sock") }],
    };
}
