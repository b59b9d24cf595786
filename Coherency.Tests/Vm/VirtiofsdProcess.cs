using Coherency.Guest.VirtualMachines;
namespace Coherency.Tests.Vm;

/// <summary>QEMU's C virtiofsd: a process per socket, which serves one connection and exits.</summary>
public sealed class VirtiofsdProcess(string program, string sharedDirectory, string workFolder, string cache = "none")
    : SharingDaemon(sharedDirectory, workFolder)
{
    private readonly Dictionary<string, CompanionProcess> _processes = [];

    // A process that ended with its guest is started again for the next one.
    public override bool IsRunning => true;

    public override string Output => string.Concat(_processes.Values.Select(process => process.Output));

    public override async Task PrepareForGuestAsync(string guest)
    {
        if (_processes.Remove(guest, out var previous))
            await previous.DisposeAsync();
        var socket = SocketOf(guest);
        File.Delete(socket);
        var process = CompanionProcess.Start(program,
        [
            "-f", $"--socket-path={socket}", "-o", $"source={SharedDirectory}",
            "-o", $"cache={cache},xattr,posix_lock,flock,killpriv_v2",
        ]);
        _processes.Add(guest, process);
        await process.WaitUntilAsync("socket", () => File.Exists(socket), StartTimeout);
    }

    public override async ValueTask DisposeAsync()
    {
        foreach (var process in _processes.Values)
            await process.DisposeAsync();
    }
}
