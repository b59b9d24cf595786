using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;
using Coherency.Guest;
using Coherency.Guest.Fuse;
using Coherency.Tests.Keeper;
using Coherency.Tests.Published;

namespace Coherency.Tests.Packaging;

/// <summary>The packages of eng/deb, by Debian's own tools and in Debians of their own. Needs root.</summary>
[Trait("Category", "Slow")]
[Trait("Category", "Root")]
[Trait("Category", "Network")]
[Collection(PublishedTests.Name)]
public sealed class DebianPackageTests(DebianPackages packages) : IClassFixture<DebianPackages>
{
    private const string Virtiofsd = "/usr/libexec/virtiofsd";
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    [Fact]
    public void Lintian_finds_nothing()
    {
        ChildResult judged = ChildProcess.Run(
            "lintian", ["--allow-root", "--fail-on", "error,warning", "--tag-display-limit", "0", .. packages.Files]);
        Assert.True(judged.ExitCode == 0, judged.Output + judged.Errors);
        Assert.Equal("", judged.Output);
    }

    [Fact]
    public void Made_twice_they_are_the_same_bytes()
    {
        string[] again = packages.Make("again");
        Assert.Equal(packages.Files.Select(Path.GetFileName), again.Select(Path.GetFileName));
        foreach ((string first, string second) in packages.Files.Zip(again))
        {
            Assert.Equal(CopiedRoot.RunOnHost("sha256sum", ["-z", first])[..64], CopiedRoot.RunOnHost("sha256sum", ["-z", second])[..64]);
        }
    }

    [Fact]
    public void Installed_upgraded_and_purged_they_leave_what_was_there_before() => Live("bookworm", virtiofsd: "/usr/lib/qemu/virtiofsd");

    [Theory]
    [Trait("Category", "Soak")]
    [InlineData("trixie")]
    [InlineData("sid")]
    public void So_they_do_in_newer_releases(string suite) => Live(suite, Virtiofsd);

    [Fact]
    [Trait("Category", "Soak")]
    public void The_module_is_built_and_removed_by_DKMS()
    {
        using InstalledDebian debian = new("trixie");
        string[] before = debian.ListFiles();
        debian.Run(debian.Bring(packages.OlderFiles[2]));
        Assert.Contains($"coherency/{DebianPackages.OlderVersion}, 6.12", debian.Run("dkms status"), StringComparison.Ordinal);
        debian.Run(debian.Bring(packages.Files[2]));
        string status = debian.Run("dkms status");
        Assert.Contains($"coherency/{packages.Version}, 6.12", status, StringComparison.Ordinal);
        Assert.DoesNotContain(DebianPackages.OlderVersion, status, StringComparison.Ordinal);
        Assert.Equal($"{DebianPackages.ProgramVersion}\n", debian.Run("modinfo -F version /lib/modules/*/updates/dkms/coherency.ko*"));
        debian.Run("apt-get purge --yes coherency-dkms");
        // depmod's tables are made anew.
        Assert.Equal(Without("/lib/modules/", before), Without("/lib/modules/", debian.ListFiles()));
        Assert.DoesNotContain(debian.ListFiles(), file => file.Contains("coherency", StringComparison.Ordinal));
    }

    [Fact]
    public void Guests_go_on_while_the_packages_are_upgraded_and_the_next_ones_get_the_new_daemon()
    {
        using BootedDebian host = new("bookworm");
        host.Install(packages.OlderFiles.Take(2));
        Assert.Equal("active\n", host.Run("systemctl is-active coherencyd.service"));
        string daemon = DaemonOf(host);
        host.Run("mkdir /srv/share && chmod 1777 /srv/share");
        using (CompanionProcess keeper = StartKeeper(host, "a"))
        using (VirtioFsGuest guest = VirtioFsGuest.Connect(host.Inside("/srv/a.sock")))
        {
            CreatedFile file = guest.Fuse.Create(NodeId.Root, "file"u8, OpenFlags.O_RDWR, 0x1A4);
            guest.Fuse.Write(file.Node, file.Handle, 0, "before "u8);
            guest.Fuse.Flock(file.Node, file.Handle, 1, (short)LockFlags.F_WRLCK);

            string told = host.Install(packages.Files.Take(2));
            Assert.Contains("coherencyd.service goes on with the version that it was started with", told, StringComparison.Ordinal);
            Assert.Equal(packages.Version, host.Run("dpkg-query --show --showformat='${Version}' coherencyd"));
            Assert.Equal(daemon, DaemonOf(host));
            Assert.Contains("(deleted)", host.Run($"readlink /proc/{daemon}/exe"), StringComparison.Ordinal);

            guest.Fuse.Write(file.Node, file.Handle, 7, "after"u8);
            Assert.Equal("before after", host.Run("cat /srv/share/file"));
            Assert.Equal("held\n", host.Run("flock --nonblock /srv/share/file true || echo held"));
            // A machine that starts now: its keeper is new, and the daemon is the old one.
            using (CompanionProcess other = StartKeeper(host, "b"))
            using (VirtioFsGuest late = VirtioFsGuest.Connect(host.Inside("/srv/b.sock")))
            {
                Assert.Equal("before after"u8, late.Files.ReadAllBytes("/file"));
                late.Files.Truncate("/file", 6);
                Assert.Equal(6UL, guest.Fuse.GetAttr(file.Node).attr.size);
            }

            Assert.False(keeper.HasExited);
        }

        host.Run("systemctl restart coherencyd.service");
        Assert.Equal("/usr/bin/coherencyd\n", host.Run($"readlink /proc/{DaemonOf(host)}/exe"));
        BeStarted(host);
        ServeEverything(host);
        host.Run("apt-get purge --yes coherencyd");
        Assert.Equal("", host.Run("grep --no-messages coherencyd /proc/[0-9]*/comm || true"));
        Assert.Equal("", host.Run("find /run /etc /var/lib/systemd -name '*coherenc*'"));
    }

    /// <summary>Who needs the daemon has it started, and finds it.</summary>
    private static void BeStarted(BootedDebian host)
    {
        Assert.Equal("enabled\nenabled\nenabled\n", host.Run(
            "systemctl is-enabled coherencyd.service coherencyd-attach.socket coherencyd-admin.socket"));
        Assert.Equal("600 srw-------\n600 srw-------\n", host.Run(
            "stat --format '%a %A' /run/coherencyd/default/attach.sock /run/coherencyd/default/admin.sock"));
        Stop();
        using (CompanionProcess keeper = StartKeeper(host, "first"))
        using (VirtioFsGuest guest = VirtioFsGuest.Connect(host.Inside("/srv/first.sock")))
        {
            Assert.Equal("active\n", host.Run("systemctl is-active coherencyd.service"));
            Assert.NotEqual(0UL, guest.Fuse.Lookup(NodeId.Root, "file"u8).nodeid);
        }

        Stop();
        Assert.Contains("GUEST", host.Run("coherencyd admin guests"), StringComparison.Ordinal);
        Assert.Equal("active\n", host.Run("systemctl is-active coherencyd.service"));

        void Stop()
        {
            host.Run("systemctl stop coherencyd.service");
            Assert.Equal("inactive\nactive\nactive\n", host.Run(
                "systemctl is-active coherencyd.service coherencyd-attach.socket coherencyd-admin.socket || true"));
        }
    }

    /// <summary>The unit lets the daemon do what docs/serving.md says it needs rights for, and the rest is refused to it.</summary>
    private static void ServeEverything(BootedDebian host)
    {
        using (CompanionProcess keeper = StartKeeper(host, "c"))
        using (VirtioFsGuest guest = VirtioFsGuest.Connect(host.Inside("/srv/c.sock")))
        {
            FuseClient user = guest.Fuse.As(new CallerIdentity(1000, 1001));
            CreatedFile file = user.Create(NodeId.Root, "of-user"u8, OpenFlags.O_RDWR, 0x1A4);
            Assert.Equal("1000:1001\n", host.Run("stat --format %u:%g /srv/share/of-user"));
            guest.Fuse.SetAttr(file.Node, new fuse_setattr_in { valid = (uint)FuseSetAttrValid.Mode, mode = 0x9ED });
            guest.Fuse.MkNod(NodeId.Root, "node"u8, 0x2180, 0x103);
            Assert.Equal("4755 regular empty file\n600 character special file\n", host.Run(
                "stat --format '%a %F' /srv/share/of-user /srv/share/node"));
            guest.Fuse.SetXattr(file.Node, "trusted.name"u8, "value"u8);
            Assert.Equal("value"u8, guest.Fuse.GetXattr(file.Node, "trusted.name"u8));
        }

        // What the unit says of its own: a share comes by a file while the daemon runs.
        string more = host.Inside("/etc/coherencyd/more.json");
        File.WriteAllText(more, """
            { "shares": [{ "sharedDir": "/srv/share", "tag": "more", "guests": [{ "name": "d", "socket": "/srv/d.sock" }] }] }
            """);
        host.Run("systemctl reload coherencyd.service");
        using (VirtioFsGuest guest = VirtioFsGuest.Connect(host.Inside("/srv/d.sock")))
        {
            Assert.NotEqual(0UL, guest.Fuse.Lookup(NodeId.Root, "of-user"u8).nodeid);
        }

        // And a mount, which all of the host has to see.
        File.WriteAllText(more, """
            { "shares": [{
                "sharedDir": "/srv/share", "guests": [{ "name": "d", "socket": "/srv/d.sock" }], "mounts": ["/srv/mounted"]
            }] }
            """);
        host.Run("mkdir /srv/mounted; mknod -m 600 /dev/fuse c 10 229; systemctl restart coherencyd.service");
        Assert.Equal("1000:1001\n", host.Run("stat --format %u:%g /srv/mounted/of-user"));

        File.Delete(more);
        Assert.Equal("", host.Run("journalctl --unit coherencyd.service --priority warning --quiet --no-pager"));
        Assert.DoesNotContain("inotify", host.Run("journalctl --unit coherencyd.service --quiet --no-pager"), StringComparison.Ordinal);
    }

    /// <summary>A life of the packages, beginning with an older version, where somebody has had virtiofsd's place.</summary>
    private void Live(string suite, string virtiofsd)
    {
        using InstalledDebian debian = new(suite);
        string[] before = debian.ListFiles();
        string versionBefore = debian.Run($"{virtiofsd} --version");
        debian.Run(debian.Bring(packages.OlderFiles.Take(2)));
        debian.Run(debian.Bring(packages.Files.Take(2)));
        Assert.StartsWith(DebianPackages.ProgramVersion, debian.Run("coherencyd --version"), StringComparison.Ordinal);
        Assert.Contains("separate-options", debian.Run($"{Virtiofsd} --print-capabilities"), StringComparison.Ordinal);
        foreach (string place in (string[])[Virtiofsd, "/usr/lib/qemu/virtiofsd"])
        {
            Assert.Contains($"coherencyd {DebianPackages.ProgramVersion}", debian.Run($"{place} --version"), StringComparison.Ordinal);
        }

        Assert.DoesNotContain($"coherencyd {DebianPackages.ProgramVersion}", versionBefore, StringComparison.Ordinal);
        Assert.Contains("steps were checked", debian.Run("coherencyd demo"), StringComparison.Ordinal);
        // A systemd of that release judges the unit.
        Assert.Equal("", debian.Run("systemd-analyze verify --man=no coherencyd.service"));

        debian.Run("apt-get purge --yes coherencyd coherencyd-virtiofsd");
        // Debian's own virtiofsd made way.
        string[] theirs = suite == "bookworm" ? [] : [.. before.Where(IsOfVirtiofsd)];
        Assert.Equal(before.Except(theirs), debian.ListFiles());
    }

    /// <summary>Its files, and folders that nobody else has files in.</summary>
    private static bool IsOfVirtiofsd(string file) => file.Contains("virtiofsd", StringComparison.Ordinal)
        || file.TrimEnd() is "/usr/lib/qemu" or "/usr/share/qemu" or "/usr/share/qemu/vhost-user";

    private static CompanionProcess StartKeeper(BootedDebian host, string name)
    {
        CompanionProcess keeper = host.Start(
            Virtiofsd, "--socket-path", $"/srv/{name}.sock", "--shared-dir", "/srv/share", "--xattr");
        keeper.WaitUntil("its ready line", () => keeper.Output.Contains(KeeperProcess.ReadyLine, StringComparison.Ordinal), Patience);
        Assert.Contains("is served by the host's coherencyd", keeper.Output, StringComparison.Ordinal);
        return keeper;
    }

    private static string DaemonOf(BootedDebian host) =>
        host.Run("systemctl show --property MainPID --value coherencyd.service").Trim();

    private static IEnumerable<string> Without(string folder, string[] files) =>
        files.Where(file => !file.StartsWith(folder, StringComparison.Ordinal));
}
