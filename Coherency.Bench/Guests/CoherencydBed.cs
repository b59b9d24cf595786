namespace Coherency.Bench.Guests;

/// <summary>
/// coherencyd: one process for both guests. With <c>--cache coherent</c> the guests mount with the module of guest/linux.
/// </summary>
internal sealed class CoherencydBed(string name, string workFolder, Contender contender) : VhostUserBed(name, workFolder, contender)
{
    private static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(20);

    private bool IsCoherent => Name == ContenderNames.Coherent;

    /// <summary>Where the daemon can be asked what it counted itself.</summary>
    public string AdminSocket => Path.Combine(WorkFolder, "admin.sock");

    protected override async Task StartServerAsync()
    {
        string second = SocketOf("b");
        string command = Contender.Command
            .Replace(
                "{guests}", $"--guest a={{socket}} --guest b={second} --tag {Tag} --admin-socket {AdminSocket}", StringComparison.Ordinal)
            .Replace("{queues}", "1", StringComparison.Ordinal);
        StartDaemon(command, SocketOf("a"));
        using CancellationTokenSource deadline = new(StartTimeout);
        while (!File.Exists(second) || !File.Exists(AdminSocket))
            await Task.Delay(10, deadline.Token);
    }

    protected override Task PrepareForGuestAsync(string guest) => Task.CompletedTask;

    protected override string MountCommand(string guest) =>
        $"mount -t {(IsCoherent ? "coherency" : "virtiofs")} {Tag} {GuestMachine.MountPoint}";

    protected override VirtualMachineSettings Extend(VirtualMachineSettings settings) =>
        base.Extend(settings) with { TableFile = IsCoherent ? SocketOf(settings.Name) + ".table" : null };
}
