using Coherency.Bench.Measurement;

namespace Coherency.Bench.Guests;

/// <summary>A virtio-fs daemon of one process for each guest, as virtiofsd.</summary>
internal class VhostUserBed(string name, string workFolder, Contender contender) : GuestBed(name, workFolder)
{
    protected const string Tag = "share";
    private const string Device = "virtio-user-fs";

    // FORGET has a queue of its own, before that of requests.
    private const int PriorityQueues = 1;

    private readonly List<DaemonProcess> _daemons = [];

    public override string Version { get; } = contender.ReadVersion();

    protected Contender Contender => contender;

    public override IReadOnlyList<int> ServerProcesses => [.. _daemons.SelectMany(daemon => ProcessUsage.FindTree(daemon.ProcessId))];

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        _daemons.ForEach(daemon => daemon.Dispose());
    }

    protected override string MountCommand(string guest) => $"mount -t virtiofs {Tag} {GuestMachine.MountPoint}";

    protected override Task PrepareForGuestAsync(string guest)
    {
        StartDaemon(contender.Command, SocketOf(guest));
        return Task.CompletedTask;
    }

    protected string SocketOf(string guest) => Path.Combine(WorkFolder, guest + ".daemon");

    protected void StartDaemon(string template, string socket)
    {
        // That of a guest before: it may have ended with it, or have made it end.
        foreach (DaemonProcess former in _daemons.Where(former => former.SocketPath == socket).ToArray())
        {
            former.Dispose();
            _daemons.Remove(former);
        }

        DaemonProcess daemon = DaemonProcess.Start(template, socket, HostTree!);
        if (Commands.Count == 0)
            Record($"host: {daemon.Command}");
        _daemons.Add(daemon);
    }

    protected override VirtualMachineSettings Extend(VirtualMachineSettings settings) =>
        settings with { DaemonSocket = SocketOf(settings.Name), Tag = Tag };

    protected override async Task<IRequestCounter> CountAsync(VirtualMachine machine) =>
        await RingCounter.ForDeviceAsync(machine, Device, isVhost: true, PriorityQueues);
}
