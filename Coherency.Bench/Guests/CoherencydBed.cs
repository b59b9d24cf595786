using Coherency.Guest.VirtualMachines;

namespace Coherency.Bench.Guests;

/// <summary>coherencyd: one process for both guests. With <c>--cache coherent</c> the guests mount with the module of guest/linux.</summary>
/// <param name="program">The command that starts coherencyd.</param>
internal sealed class CoherencydBed(string name, string workFolder, string program, string cache, string version)
    : VhostUserBed(name, workFolder, "", version)
{
    private static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(20);

    private bool IsCoherent => cache == "coherent";

    /// <summary>Where the daemon can be asked what it counted itself.</summary>
    public string AdminSocket => Path.Combine(WorkFolder, "admin.sock");

    protected override async Task StartServerAsync()
    {
        string second = SocketOf("b");
        StartDaemon($"{program} serve --shared-dir {{dir}} --tag {Tag} --cache {cache} --guest a={{socket}} --guest b={second} --admin-socket {AdminSocket}", SocketOf("a"));
        using CancellationTokenSource deadline = new(StartTimeout);
        while (!File.Exists(second) || !File.Exists(AdminSocket))
            await Task.Delay(10, deadline.Token);
    }

    protected override Task PrepareForGuestAsync(string guest) => Task.CompletedTask;

    protected override string MountCommand(string guest) => $"mount -t {(IsCoherent ? "coherency" : "virtiofs")} {Tag} {GuestMachine.MountPoint}";

    protected override VirtualMachineSettings Extend(VirtualMachineSettings settings) =>
        base.Extend(settings) with { TableFile = IsCoherent ? SocketOf(settings.Name) + ".table" : null };
}
