using Coherency.Guest.VirtualMachines;
using Coherency.Tests.Daemon;
namespace Coherency.Tests.Vm;

/// <summary>coherencyd as the build put it beside the tests: one process for all guests.</summary>
public sealed class CoherencydProcess : SharingDaemon
{
    private readonly CompanionProcess _process;

    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(60);

    private CoherencydProcess(
        string sharedDirectory, string workFolder, IReadOnlyList<string> guests, string cache, IEnumerable<string> more)
        : base(sharedDirectory, workFolder) =>
        _process = CompanionProcess.Start("dotnet",
        [
            RunningDaemon.Program,
            "serve", "--shared-dir", sharedDirectory, "--tag", Tag,
            "--cache", cache,
            "--admin-socket", AdminSocketIn(workFolder),
            .. guests.SelectMany(guest => new[] { "--guest", $"{guest}={SocketOf(guest)}" }),
            .. more,
        ]);

    /// <summary>Where <c>coherencyd admin</c> finds the daemon that works in a folder.</summary>
    public static string AdminSocketIn(string workFolder) => Path.Combine(workFolder, "admin.sock");

    public override bool IsRunning => !_process.HasExited;

    public override string Output => _process.Output;

    /// <param name="cache">With "never" guests see every change at once, so that a test need not wait for a cache to expire.</param>
    /// <param name="more">More of the command line.</param>
    public static async Task<CoherencydProcess> LaunchAsync(
        string sharedDirectory, string workFolder, IReadOnlyList<string> guests, string cache = "never", params string[] more)
    {
        var daemon = new CoherencydProcess(sharedDirectory, workFolder, guests, cache, more);
        await daemon._process.WaitUntilAsync(
            "ready", () => daemon.Output.Split('\n').Any(line => line.Trim() == "ready"), StartTimeout);
        return daemon;
    }

    public override Task PrepareForGuestAsync(string guest) => Task.CompletedTask;

    /// <summary>Asks it to stop with SIGTERM and returns its exit code.</summary>
    public Task<int> StopAsync()
    {
        Signal("TERM");
        return _process.WaitForExitAsync(StopTimeout);
    }

    public void Signal(string name) => ChildProcess.Run("kill", [$"-{name}", $"{_process.ProcessId}"]);

    public override ValueTask DisposeAsync() => _process.DisposeAsync();
}
