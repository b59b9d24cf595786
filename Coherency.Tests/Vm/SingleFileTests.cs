using Coherency.Guest.VirtualMachines;
using Xunit;

namespace Coherency.Tests.Vm;

/// <summary>
/// Why a share that is a file is refused: virtiofsd 1.14 serves one if it is not to make a sandbox, and no Linux guest can use it.
/// </summary>
[Trait("Category", "Vm")]
[Trait("Category", "Root")]
public sealed class SingleFileTests : IDisposable
{
    private readonly string _work = Directory.CreateTempSubdirectory("coherency-file-").FullName;

    public void Dispose() => Directory.Delete(_work, recursive: true);

    [Theory]
    [InlineData("stable")]
    [InlineData("trixie")]
    [InlineData("sid")]
    public async Task A_guest_can_mount_a_file_nowhere(string kernel)
    {
        string file = Path.Combine(_work, "file");
        File.WriteAllText(file, "content");
        string socket = Path.Combine(_work, "socket");
        using CompanionProcess daemon = CompanionProcess.Start(
            PeerDaemons.PreparedRustVirtiofsdPath, ["--socket-path", socket, "--shared-dir", file, "--sandbox", "none"]);
        await daemon.WaitUntilAsync("its socket", () => File.Exists(socket), TimeSpan.FromMinutes(1));
        await using VirtualMachine guest = await VirtualMachine.BootAsync(new VirtualMachineSettings
        {
            Name = "a",
            Image = VirtualMachineImage.Of(kernel),
            WorkFolder = _work,
            DaemonSocket = socket,
            Tag = SharingDaemon.Tag,
        });
        await guest.ExpectAsync("touch /tmp/file && mkdir /tmp/directory");
        CommandResult onFile = await guest.RunAsync($"mount -t virtiofs {SharingDaemon.Tag} /tmp/file");
        Assert.Contains("Not a directory", onFile.Output, StringComparison.Ordinal);
        await guest.ExpectAsync($"mount -t virtiofs {SharingDaemon.Tag} /tmp/directory");
        CommandResult read = await guest.RunAsync("cat /tmp/directory");
        Assert.Contains("Input/output error", read.Output, StringComparison.Ordinal);
    }
}
