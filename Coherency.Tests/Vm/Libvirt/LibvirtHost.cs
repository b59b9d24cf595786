using Coherency.Tests.Keeper;

namespace Coherency.Tests.Vm.Libvirt;

/// <summary>
/// Debian's libvirtd, as root, in namespaces of its own: it sees no libvirt of this machine, and what it starts ends with it. Its
/// virtiofsd is ours, which it finds as a package describes it, or by a domain's XML.
/// </summary>
internal sealed class LibvirtHost : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    /// <summary>
    /// Debian's package has a user for QEMU, makes folders, and counts on systemd. The shell is process 1 of what follows: libvirt waits
    /// for its QEMUs to be reaped.
    /// </summary>
    private const string Start = """
        set -e
        cp /etc/passwd passwd; cp /etc/group group
        grep -q ^libvirt-qemu: passwd || echo libvirt-qemu:x:64055:64055::/nonexistent:/usr/sbin/nologin >>passwd
        for group in libvirt-qemu:64055 kvm:64054; do
          grep -q "^${group%:*}:" group || echo "${group%:*}:x:${group#*:}:" >>group
        done
        mount --bind passwd /etc/passwd; mount --bind group /etc/group
        mkdir -p run state descriptions
        mount --bind run /run
        for folder in /etc/libvirt /var/cache/libvirt /var/log/libvirt; do mkdir -p $folder; mount -t tmpfs libvirt $folder; done
        mkdir -p /var/lib/libvirt; mount --bind state /var/lib/libvirt
        mkdir -p /usr/share/qemu/vhost-user; mount --bind descriptions /usr/share/qemu/vhost-user
        cat >/etc/libvirt/qemu.conf <<END
        stdio_handler = "file"
        security_driver = "none"
        cgroup_controllers = []
        namespaces = []
        remember_owner = 0
        user = "root"
        group = "root"
        END
        cat >/etc/libvirt/libvirtd.conf <<END
        unix_sock_dir = "$PWD"
        auth_unix_rw = "none"
        log_outputs = "3:stderr"
        END
        /usr/sbin/libvirtd & wait $!
        """;

    private readonly string _folder;
    private readonly CompanionProcess _libvirtd;

    private LibvirtHost(string folder, string daemonFolder)
    {
        _folder = folder;
        Directory.CreateDirectory(Path.Combine(folder, "descriptions"));
        string environment = string.Join(' ', KeeperProcess.EnvironmentOf(daemonFolder).Select(one => $"{one.Name}='{one.Value}'"));
        File.WriteAllText(
            Virtiofsd, $"#!/bin/sh\necho \"$*\" >>{Calls}\n{environment} exec {Which("dotnet")} {KeeperProcess.Built[1]} \"$@\"\n");
        File.SetUnixFileMode(Virtiofsd, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        File.WriteAllText(
            Path.Combine(folder, "descriptions", "60-coherencyd.json"),
            $$"""{ "description": "coherencyd", "type": "fs", "binary": "{{Virtiofsd}}" }""");
        _libvirtd = CompanionProcess.Start(
            "unshare", ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "bash", "-c", $"cd {folder}\n{Start}"]);
    }

    /// <summary>What stands in virtiofsd's place.</summary>
    public string Virtiofsd => Path.Combine(_folder, "virtiofsd");

    /// <summary>The command lines with which it was started, a line each.</summary>
    public string Calls => Path.Combine(_folder, "calls");

    /// <param name="folder">For all that libvirt writes.</param>
    /// <param name="daemonFolder">Where keepers look for the host's coherencyd.</param>
    public static async Task<LibvirtHost> StartAsync(string folder, string daemonFolder)
    {
        LibvirtHost host = new(folder, daemonFolder);
        await host._libvirtd.WaitUntilAsync("libvirtd's socket", () => File.Exists(host.Socket), Patience);
        return host;
    }

    /// <summary>Runs a command of virsh that must succeed.</summary>
    public string Virsh(params string[] arguments)
    {
        ChildResult result = ChildProcess.Run("virsh", ["-c", $"qemu+unix:///system?socket={Socket}", .. arguments]);
        return result.ExitCode == 0
            ? result.Output.Trim()
            : throw new CompanionException($"virsh {string.Join(' ', arguments)}: {result.Errors}\n{_libvirtd.Output}{Logs}");
    }

    /// <summary>Processes and files that are there for a domain.</summary>
    public string Traces(string domain) =>
        ChildProcess.Run("pgrep", ["-af", $"qemu-system.*guest={domain},|virtiofsd.dll.*/{domain}-share"]).Output
        + ChildProcess.Shell($"find run state -name '*{domain}*'", _folder);

    public async ValueTask DisposeAsync() => await _libvirtd.DisposeAsync();

    private string Socket => Path.Combine(_folder, "libvirt-sock");

    /// <summary>What libvirt has QEMU and virtiofsd write, of which the last lines say what was wrong.</summary>
    private string Logs => File.Exists(Calls) ? File.ReadAllText(Calls) : "";

    private static string Which(string program) => ChildProcess.Shell($"command -v {program}");
}
