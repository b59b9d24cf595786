using Coherency.Guest.VirtualMachines;
using Coherency.Tests.Packaging;
using Xunit;
using Xunit.Abstractions;

namespace Coherency.Tests.Vm;

/// <summary>A share that is a whole Debian, which a guest boots from: systemd, the journal and dpkg judge it.</summary>
[Trait("Category", "Vm")]
[Trait("Category", "Root")]
[Trait("Category", "Soak")]
public sealed class RootFileSystemTests(ITestOutputHelper output) : IAsyncLifetime, IDisposable
{
    /// <summary>An emulated guest takes half a minute for what a real one does in seconds.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    private readonly InstalledDebian _debian = new("bookworm");
    private readonly string _work = Directory.CreateTempSubdirectory("coherency-boot-").FullName;
    private CoherentServer _server = null!;

    public Task InitializeAsync()
    {
        // What an administrator writes, and what makes the journal stay.
        File.WriteAllText(_debian.Root.Inside("/etc/fstab"), $"{SharingDaemon.Tag} / coherency defaults 0 1\n");
        Directory.CreateDirectory(_debian.Root.Inside("/var/log/journal"));
        _server = new CoherentServer(_debian.Root.Directory, _work, ["a"]);
        return Task.CompletedTask;
    }

    public async Task DisposeAsync()
    {
        output.WriteLine(File.ReadAllText(Path.Combine(_work, "a.console")));
        await _server.DisposeAsync();
    }

    public void Dispose()
    {
        Directory.Delete(_work, recursive: true);
        _debian.Dispose();
    }

    [Theory]
    [InlineData("stable")]
    [InlineData("trixie")]
    [InlineData("sid")]
    public async Task A_guest_boots_from_a_share_installs_a_package_reboots_and_turns_itself_off(string kernel)
    {
        await using VirtualMachine guest = await BootAsync(kernel);
        await ExpectRunningAsync(guest);
        string mount = await guest.ExpectAsync("findmnt --noheadings --output SOURCE,FSTYPE,OPTIONS / | tr -s ' '");
        Assert.StartsWith($"{SharingDaemon.Tag} virtiofs rw", mount, StringComparison.Ordinal);
        await guest.ExpectAsync($"test -d /sys/fs/coherency/{SharingDaemon.Tag}");
        // Which has mounted it again, as fstab says.
        Assert.Equal("active", await guest.ExpectAsync("systemctl is-active systemd-remount-fs.service"));

        await guest.ExpectAsync(MakePackage("1") + "\ndpkg --install /tmp/package-1.deb", Patience);
        await guest.ExpectAsync(MakePackage("2") + "\ndpkg --install /tmp/package-2.deb", Patience);
        Assert.Equal("", await guest.ExpectAsync("dpkg --verify many"));
        Assert.Equal("2", await HostShell.ExpectAsync($"cat {_debian.Root.Inside("/usr/lib/many/1")}"));

        // What the host changes counts at once, in the directory that the guest runs from, too.
        string program = _debian.Root.Inside("/usr/bin/new");
        await HostShell.ExpectAsync($"printf '#!/bin/sh\\necho from the host\\n' >{program}; chmod +x {program}");
        Assert.Equal("from the host", await guest.ExpectAsync("new"));

        await guest.RebootAsync("systemctl reboot");
        await ExpectRunningAsync(guest);
        Assert.Equal("2", await guest.ExpectAsync("journalctl --list-boots --no-pager --quiet | wc -l", Patience));
        await guest.ExpectAsync("journalctl --verify --quiet && dpkg --verify many", Patience);
        await guest.ExpectAsync("dpkg --purge many && ! ls /usr/lib/many 2>/dev/null", Patience);
        guest.AssertKernelIsSound();

        await guest.PowerOffAsync("systemctl poweroff");
        _server.ExpectAllForgotten(Patience);
        Assert.DoesNotContain("Failed unmounting", File.ReadAllText(guest.Settings.ConsoleLog), StringComparison.Ordinal);
        Assert.Equal("", _debian.Run("dpkg --audit"));
    }

    private static async Task ExpectRunningAsync(VirtualMachine guest) =>
        Assert.Equal("running", await guest.ExpectAsync("systemctl is-system-running --wait || systemctl --failed --no-pager", Patience));

    /// <summary>A package of so many files that dpkg has something to do, made in the guest.</summary>
    private static string MakePackage(string version) => $$"""
        d=$(mktemp -d) && mkdir -p $d/DEBIAN $d/usr/lib/many
        for i in $(seq 300); do echo {{version}} >$d/usr/lib/many/$i; done
        printf '%s\n' 'Package: many' 'Version: {{version}}' 'Architecture: all' 'Maintainer: nobody <nobody@localhost>' \
            'Description: many files' >$d/DEBIAN/control
        (cd $d && find usr -type f -exec md5sum {} + >DEBIAN/md5sums)
        dpkg-deb --build --root-owner-group $d /tmp/package-{{version}}.deb >/dev/null
        """;

    private Task<VirtualMachine> BootAsync(string kernel)
    {
        bool isGeneric = kernel == "sid";
        return VirtualMachine.BootAsync(new VirtualMachineSettings
        {
            Name = "a",
            Image = VirtualMachineImage.Of(kernel),
            WorkFolder = _work,
            DaemonSocket = _server.SocketOf("a"),
            TableFile = isGeneric ? null : _server.TableOf("a"),
            Device = isGeneric ? FileSystemDevice.GenericVhostUser : FileSystemDevice.VhostUserFs,
            Tag = SharingDaemon.Tag,
            MemoryMiB = 512,
            KernelOptions = $"slub_debug=FZPU panic_on_warn=1 root={SharingDaemon.Tag} rootfstype=coherency rw " +
                "systemd.mask=serial-getty@ttyS0.service",
        });
    }
}
