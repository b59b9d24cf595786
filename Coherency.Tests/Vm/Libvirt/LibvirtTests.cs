using Coherency.Tests.Daemon;
using Coherency.Tests.Keeper;
using Xunit;

namespace Coherency.Tests.Vm.Libvirt;

/// <summary>Machines that libvirt starts, by nothing but XML, with ours in virtiofsd's place.</summary>
[Trait("Category", "Vm")]
public sealed class LibvirtTests : IAsyncLifetime
{
    private const string Mounted = "/mnt";
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private readonly DirectoryInfo _work = Directory.CreateTempSubdirectory("coherency-libvirt-");
    private LibvirtHost _libvirt = null!;

    private string Share => Path.Combine(_work.FullName, "share");

    private string DaemonFolder => Path.Combine(_work.FullName, "daemon");

    public async Task InitializeAsync()
    {
        _work.CreateSubdirectory("share");
        _libvirt = await LibvirtHost.StartAsync(_work.CreateSubdirectory("libvirt").FullName, DaemonFolder);
    }

    public async Task DisposeAsync()
    {
        await _libvirt.DisposeAsync();
        _work.Delete(recursive: true);
    }

    [Fact]
    public async Task Two_machines_on_one_directory_are_coherent_through_all_that_is_done_to_them()
    {
        using RunningDaemon daemon = StartDaemon();
        using LibvirtDomain one = Define("web", _libvirt.Virtiofsd, TableOf("web"));
        using LibvirtDomain two = Define("build", _libvirt.Virtiofsd, TableOf("build"));
        await Task.WhenAll(one.StartAsync(), two.StartAsync());
        await Task.WhenAll(MountAsync(one), MountAsync(two));
        await ExpectCoherentAsync(one, two);

        // Held over a pause, which moves what the guest may believe.
        _libvirt.Virsh("suspend", one.Name);
        await two.ExpectAsync($"echo paused >{Mounted}/file");
        _libvirt.Virsh("resume", one.Name);
        Assert.Equal("paused", await one.ExpectAsync($"cat {Mounted}/file"));

        // The machine starts again, with the same keeper.
        _libvirt.Virsh("reset", one.Name);
        await one.WaitForBootAsync();
        await MountAsync(one);
        await ExpectCoherentAsync(two, one);

        await one.SendAsync("poweroff -f");
        ExpectNoTrace(one);
        _libvirt.Virsh("destroy", two.Name);
        ExpectNoTrace(two);

        // As often as one likes, for the table is still there when QEMU opens it.
        using LibvirtDomain again = Define("build", _libvirt.Virtiofsd, TableOf("build"));
        await again.StartAsync();
        await MountAsync(again);
        Assert.Equal("20", await again.ExpectAsync($"cat {Mounted}/file"));
        _libvirt.Virsh("destroy", again.Name);
        ExpectNoTrace(again);
        Assert.Equal(0, daemon.Stop());
    }

    /// <summary>Nothing of libvirt's stands still meanwhile.</summary>
    [Fact]
    public async Task A_machine_that_starts_anew_is_served_by_the_daemon_that_came_after_one_that_was_killed()
    {
        using LibvirtDomain machine = Define("web", _libvirt.Virtiofsd, TableOf("web"));
        using (RunningDaemon killed = StartDaemon())
        {
            await machine.StartAsync();
            await MountAsync(machine);
            await machine.ExpectAsync($"echo before >{Mounted}/file");
            killed.Kill();
        }

        _libvirt.Virsh("suspend", machine.Name);
        _libvirt.Virsh("resume", machine.Name);
        _libvirt.Virsh("reset", machine.Name);
        await machine.WaitForBootAsync();
        using RunningDaemon daemon = StartDaemon();
        await MountAsync(machine);
        Assert.Equal("before", await machine.ExpectAsync($"cat {Mounted}/file"));

        // The other way round: another daemon is there before the machine starts anew.
        Assert.Equal(0, daemon.Stop());
        using RunningDaemon next = StartDaemon();
        _libvirt.Virsh("suspend", machine.Name);
        _libvirt.Virsh("resume", machine.Name);
        _libvirt.Virsh("reset", machine.Name);
        await machine.WaitForBootAsync();
        await MountAsync(machine);
        await machine.ExpectAsync($"echo after >{Mounted}/file");
        Assert.Equal("after\n", await File.ReadAllTextAsync(Path.Combine(Share, "file")));
        _libvirt.Virsh("destroy", machine.Name);
        ExpectNoTrace(machine);
    }

    [Fact]
    public async Task A_machine_whose_XML_names_no_program_gets_ours_by_its_description()
    {
        using LibvirtDomain machine = Define("plain", binary: null, table: null);
        await machine.StartAsync();
        await machine.ExpectAsync($"mkdir -p {Mounted} && mount -t virtiofs {SharingDaemon.Tag} {Mounted}");
        await machine.ExpectAsync($"echo text >{Mounted}/file && mkdir {Mounted}/folder && mv {Mounted}/file {Mounted}/folder/name");
        Assert.Equal("text\n", await File.ReadAllTextAsync(Path.Combine(Share, "folder", "name")));
        _libvirt.Virsh("destroy", machine.Name);
        ExpectNoTrace(machine);
        // Newer ones than Debian 12's ask for capabilities before.
        string[] calls = await File.ReadAllLinesAsync(_libvirt.Calls);
        Assert.StartsWith("--fd=", calls[^1], StringComparison.Ordinal);
        Assert.All(calls[..^1], call => Assert.Equal("--print-capabilities", call));
    }

    private RunningDaemon StartDaemon() => RunningDaemon.Start(
        DaemonProgram.Built,
        ["serve", "--attach", "--no-admin", "--expect", $"web-fs0={SharingDaemon.Tag}", "--expect", $"build-fs0={SharingDaemon.Tag}"],
        KeeperProcess.EnvironmentOf(DaemonFolder));

    /// <summary>Each reaches the directory by a name of its own, by which its keeper is found too.</summary>
    private LibvirtDomain Define(string name, string? binary, string? table)
    {
        string own = Path.Combine(_work.FullName, $"{name}-share");
        File.Delete(own);
        File.CreateSymbolicLink(own, Share);
        return new LibvirtDomain(_libvirt, name, _work.FullName, own, binary, table);
    }

    private string TableOf(string machine) => Path.Combine(DaemonFolder, "default", $"{machine}-fs0.table");

    private static async Task MountAsync(LibvirtDomain machine)
    {
        await machine.ExpectAsync($"mkdir -p {Mounted} && mount -t coherency {SharingDaemon.Tag} {Mounted}");
        Assert.Equal("beating", await machine.ExpectAsync($"cat /sys/fs/coherency/{SharingDaemon.Tag}/heartbeat"));
    }

    /// <summary>What one has cached, the other changes, twenty times.</summary>
    private static async Task ExpectCoherentAsync(LibvirtDomain reader, LibvirtDomain writer)
    {
        for (int i = 1; i <= 20; i++)
        {
            await writer.ExpectAsync($"echo {i} >{Mounted}/file");
            Assert.Equal($"{i}", await reader.ExpectAsync($"cat {Mounted}/file"));
        }
    }

    /// <summary>No process, no socket, no pid file: soon, for a machine that ends by itself is noticed a moment later.</summary>
    private void ExpectNoTrace(LibvirtDomain machine)
    {
        string traces = "";
        Assert.True(SpinWait.SpinUntil(() => (traces = _libvirt.Traces(machine.Name)).Length == 0, Patience), traces);
    }
}
