using Coherency.Guest.VirtualMachines;
using Coherency.Host.Server;
using Xunit;
using Xunit.Abstractions;

namespace Coherency.Tests.Vm;

/// <summary>
/// One guest writes a line to a file, the other looks at the file's size at once, through coherencyd and, for comparison, through
/// a daemon whose guests believe timeouts.
/// </summary>
[Trait("Category", "Vm")]
[Collection(CoherentStableGuests.Collection)]
public sealed class StalenessTests(CoherentStableGuests coherent, ITestOutputHelper output)
{
    private const string File = TwoGuests.MountPoint + "/stale";

    private static readonly int Rounds = Soak.Count(test: 100, soak: 2000);

    [Fact]
    public async Task Guests_that_consult_the_table_are_never_stale()
    {
        await coherent.EnsureReadyAsync();
        Assert.Equal(0, await CountStaleAsync("coherencyd, cache coherent", coherent.A, coherent.B));
    }

    [Fact]
    public async Task Guests_of_virtiofsd_that_believe_timeouts_are_stale()
    {
        var work = Directory.CreateTempSubdirectory("coherency-stale-");
        var shared = work.CreateSubdirectory("shared").FullName;
        await using (var daemon = new VirtiofsdProcess(VirtualMachineImage.Stable.Virtiofsd, shared, work.FullName, "auto"))
        await using (var a = await BootAsync(daemon, work.FullName, "a"))
        await using (var b = await BootAsync(daemon, work.FullName, "b"))
        {
            Assert.NotEqual(0, await CountStaleAsync($"C virtiofsd, cache {CacheMode.Auto}", a, b));
        }

        work.Delete(recursive: true);
    }

    private async Task<int> CountStaleAsync(string what, VirtualMachine writer, VirtualMachine reader)
    {
        await writer.ExpectAsync($"echo >{File}");
        var stale = 0;
        for (var i = 1; i <= Rounds; i++)
        {
            var line = new string('x', i % 50);
            await writer.ExpectAsync($"echo {line} >{File}");
            stale += await reader.ExpectAsync($"stat -c %s {File}") == $"{line.Length + 1}" ? 0 : 1;
        }

        output.WriteLine($"{what}: {stale} of {Rounds} looks at what another guest had changed were stale");
        return stale;
    }

    private static async Task<VirtualMachine> BootAsync(VirtiofsdProcess daemon, string workFolder, string name)
    {
        await daemon.PrepareForGuestAsync(name);
        var machine = await VirtualMachine.BootAsync(new VirtualMachineSettings
        {
            Name = name,
            Image = VirtualMachineImage.Stable,
            WorkFolder = workFolder,
            DaemonSocket = daemon.SocketOf(name),
            Tag = SharingDaemon.Tag,
        });
        await machine.ExpectAsync($"mount -t virtiofs {SharingDaemon.Tag} {TwoGuests.MountPoint}");
        return machine;
    }
}
