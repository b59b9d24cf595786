using Coherency.Bench.Measurement;

namespace Coherency.Bench.Guests;

/// <summary>
/// NFS 4.2 from nfs-ganesha. Server and QEMU are in a network namespace of their own, with a TAP device for each guest, so that
/// nothing outside of it is touched and it goes as one.
/// </summary>
internal sealed class NfsBed(string name, string workFolder, string version) : GuestBed(name, workFolder)
{
    private static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(30);

    private CompanionProcess? _server;

    public override string Version { get; } = version;

    public override IReadOnlyList<int> ServerProcesses => _server is null ? [] : ProcessUsage.FindTree(_server.ProcessId).ToArray();

    private static string Namespace => $"coherency-bench-{Environment.ProcessId}";

    private static string[] InNamespace => ["ip", "netns", "exec", Namespace];

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        if (_server is not null)
            await _server.DisposeAsync();
        ChildProcess.Shell($"ip netns delete {Namespace} 2>/dev/null || true");
    }

    // By the kernel itself (-i): the usual helper looks for services that a guest without a network has not.
    protected override string MountCommand(string guest) =>
        $"mount -i -t nfs4 -o vers=4.2,proto=tcp,sec=sys,addr={AddressOf(guest, 1)},clientaddr={AddressOf(guest, 2)} " +
        $"{AddressOf(guest, 1)}:/share {GuestMachine.MountPoint}";

    protected override async Task StartServerAsync()
    {
        ChildProcess.Shell($"ip netns add {Namespace} && ip -n {Namespace} link set lo up");
        foreach (string guest in new[] { "a", "b" })
        {
            ChildProcess.Shell(
                $"ip -n {Namespace} tuntap add tap-{guest} mode tap && ip -n {Namespace} address add {AddressOf(guest, 1)}/24 dev " +
                $"tap-{guest}"
                + $" && ip -n {Namespace} link set tap-{guest} up");
        }

        string settings = Path.Combine(WorkFolder, "ganesha.conf");
        File.WriteAllText(settings, Settings);
        string[] command =
        [
            .. InNamespace, VirtualMachineImage.Bench.NfsServer, "-F", "-L", "STDOUT", "-N", "EVENT", "-f", settings, "-p",
            Path.Combine(WorkFolder, "ganesha.pid"),
        ];
        Record($"host: {string.Join(' ', command)}");
        _server = CompanionProcess.Start(command[0], command[1..]);
        await _server.WaitUntilAsync(
            "NFS server", () => _server.Output.Contains("NFS SERVER INITIALIZED", StringComparison.Ordinal), StartTimeout);
    }

    protected override VirtualMachineSettings Extend(VirtualMachineSettings settings) => settings with
    {
        Launcher = InNamespace,
        MoreArguments =
        [
            "-netdev", $"tap,id=net,ifname=tap-{settings.Name},script=no,downscript=no",
            "-device", $"virtio-net-pci,netdev=net,mac=52:54:00:00:00:{(settings.Name == "a" ? 1 : 2):x2}",
        ],
    };

    /// <summary>Counts remote procedure calls.</summary>
    protected override async Task<IRequestCounter> CountAsync(VirtualMachine machine)
    {
        string guest = machine.Settings.Name;
        await machine.ExpectAsync($"ip link set lo up; ip address add {AddressOf(guest, 2)}/24 dev eth0 && ip link set eth0 up");
        return new GuestFileCounter(machine, "awk '$1 == \"rpc\" { print $2 }' /proc/net/rpc/nfs");
    }

    private static string AddressOf(string guest, int host) => $"10.99.{(guest == "a" ? 1 : 2)}.{host}";

    /// <summary>Users are looked up directly (UseGetpwnam), without a plugin of libnfsidmap that the host may not have.</summary>
    private string Settings =>
        $$"""
        NFS_CORE_PARAM { Protocols = 4; Enable_NLM = false; Enable_RQUOTA = false; Plugins_Dir = "{{Plugins}}"; }
        NFSv4 { Graceless = true; Minor_Versions = 1, 2; RecoveryRoot = "{{WorkFolder}}"; Only_Numeric_Owners = true; UseGetpwnam = true; }
        EXPORT {
            Export_Id = 1; Path = "{{HostTree}}"; Pseudo = "/share"; Access_Type = RW; Squash = No_Root_Squash;
            SecType = sys; Protocols = 4; Transports = TCP;
            FSAL { Name = VFS; }
        }
        """;

    private static string Plugins => Path.Combine(VirtualMachineImage.Bench.Folder, "root", "usr", "lib", "x86_64-linux-gnu", "ganesha");
}
