using System.Globalization;
using Coherency.Daemon.Configuration;
using Coherency.Daemon.Hosting;
using Coherency.Guest.VirtualMachines;
using Coherency.Host.Server;
using Coherency.Tests.Hostile;
using Xunit;
using Xunit.Abstractions;

namespace Coherency.Tests.Vm;

/// <summary>
/// What looking at the version table costs beside a cache that looks at nothing: one guest has the same directory mounted three
/// ways, and stats the same files through each, in turns.
/// </summary>
[Trait("Category", "Vm")]
[Collection(CoherentSidGuests.Collection)]
public sealed class CachedStatTests(ITestOutputHelper output)
{
    private const int Files = 1000;
    private const int Turns = 9;

    private static readonly (CacheMode Cache, string Type)[] Mounts =
        [(CacheMode.Coherent, "coherency"), (CacheMode.Always, "virtiofs"), (CacheMode.Never, "virtiofs")];

    [Fact]
    public async Task A_cached_stat_takes_hardly_longer_than_one_that_is_stale()
    {
        var work = Directory.CreateTempSubdirectory("coherency-stat-");
        var shared = work.CreateSubdirectory("shared").FullName;
        for (var i = 0; i < Files; i++)
            File.WriteAllText(Path.Combine(shared, $"{i}"), "text");

        using (new GuestServer(new ServeConfiguration { Shares = [.. Mounts.Select(mount => ShareFor(mount.Cache))] }, new CollectedLog()))
        await using (var guest = await VirtualMachine.BootAsync(SettingsFor()))
        {
            foreach (var (cache, type) in Mounts)
                await guest.ExpectAsync($"mkdir -p /mnt/{cache} && mount -t {type} {cache} /mnt/{cache}");
            var times = Mounts.ToDictionary(mount => mount.Cache, _ => new List<double>());
            for (var turn = 0; turn < Turns; turn++)
                foreach (var (cache, _) in Mounts)
                    times[cache].Add(await StatAsync(guest, cache));

            double Median(CacheMode cache) => times[cache].Skip(1).Order().ElementAt((Turns - 1) / 2);
            var toAlways = Median(CacheMode.Coherent) / Median(CacheMode.Always);
            var toNever = Median(CacheMode.Never) / Median(CacheMode.Coherent);
            output.WriteLine(
                $"a stat, emulated: coherent {Median(CacheMode.Coherent):f2} us, always {Median(CacheMode.Always):f2} us, never " +
                $"{Median(CacheMode.Never):f2} us; "
                + $"coherent takes {toAlways:f2} times as long as always, never {toNever:f1} times as long as coherent");
            guest.AssertKernelIsSound();
            // The bar is 1.3 on a quiet machine; this one may be busy.
            Assert.True(toAlways < 2, $"{toAlways:f2} times as long");
            Assert.True(toNever > 5, $"only {toNever:f1} times as long");
        }

        work.Delete(recursive: true);

        string SocketOf(CacheMode cache) => Path.Combine(work.FullName, $"{cache}.sock");

        ShareConfiguration ShareFor(CacheMode cache) => new()
        {
            SharedDir = shared,
            Tag = $"{cache}",
            Cache = cache,
            Guests = [new GuestConfiguration { Name = $"{cache}", Socket = SocketOf(cache) }],
            NumRequestQueues = 1,
        };

        VirtualMachineSettings SettingsFor() => new()
        {
            Name = "stat",
            Image = VirtualMachineImage.Sid,
            WorkFolder = work.FullName,
            DaemonSocket = SocketOf(CacheMode.Coherent),
            Tag = $"{CacheMode.Coherent}",
            Device = FileSystemDevice.GenericVhostUser,
            MoreShares = new[] { CacheMode.Always, CacheMode.Never }.ToDictionary(cache => $"{cache}", SocketOf),
        };
    }

    /// <returns>Microseconds of one stat.</returns>
    private static async Task<double> StatAsync(VirtualMachine guest, CacheMode cache)
    {
        var rounds = cache == CacheMode.Never ? 1 : 20;
        var microseconds = await guest.ExpectAsync($"guest-tool stat-files /mnt/{cache} {Files} {rounds}", TimeSpan.FromMinutes(2));
        return double.Parse(microseconds, CultureInfo.InvariantCulture) / (Files * rounds);
    }
}
