using Coherency.Core.Fuse;
using Coherency.Guest.VirtualMachines;
using Xunit;

namespace Coherency.Tests.Vm;

/// <summary>Opening files in a guest with the module, when the administrator has said something about it.</summary>
[Trait("Category", "Vm")]
public sealed class OpeningOptionsTests : IAsyncLifetime
{
    private const string File = TwoGuests.MountPoint + "/file";

    private readonly string _work = Directory.CreateTempSubdirectory("coherency-opening-").FullName;

    private string Shared => Path.Combine(_work, "shared");

    public async Task InitializeAsync() => await HostShell.ExpectAsync($"mkdir {Shared} && echo text >{Shared}/file");

    public async Task DisposeAsync() => await HostShell.ExpectAsync($"rm -r {_work}");

    [Fact]
    public async Task Nothing_of_a_share_that_takes_no_writes_is_opened_for_writing()
    {
        await using CoherentServer server = new(Shared, _work, ["a"], configure: share => share.Readonly = true);
        await using VirtualMachine guest = await BootAsync(server);
        Assert.Equal("spared", await OpensAsync(guest));
        Assert.Equal("text", await guest.ExpectAsync($"cat {File}"));
        foreach (string flags in new[] { "write", "write truncate", "read truncate", "write create", "write create exclusive" })
        {
            string name = flags.EndsWith("exclusive", StringComparison.Ordinal) ? "new" : "file";
            Assert.Equal("EROFS", (await guest.RunAsync($"guest-tool open-flags {TwoGuests.MountPoint}/{name} {flags}")).Text);
        }

        Assert.Equal("opened", await guest.ExpectAsync($"guest-tool open-flags {File} read create"));
        Assert.Equal("text", await guest.ExpectAsync($"cat {File}"));
        guest.AssertKernelIsSound();
    }

    [Fact]
    public async Task Who_is_to_be_asked_is_asked_as_before()
    {
        await using CoherentServer server = new(Shared, _work, ["a"], configure: share => share.AskOpens = true);
        await using VirtualMachine guest = await BootAsync(server);
        Assert.Equal("asked", await OpensAsync(guest));
        await guest.ExpectAsync($"cat {File}");
        Dictionary<FuseOpcode, long> before = server.CountRequests("a");
        await guest.ExpectAsync($"cat {File} && guest-tool open-flags {File} write truncate && ls {TwoGuests.MountPoint}");
        Dictionary<FuseOpcode, long> after = server.CountRequests("a");
        foreach ((FuseOpcode opcode, int count) in new[]
        {
            (FuseOpcode.Open, 2), (FuseOpcode.Flush, 2), (FuseOpcode.Release, 2), (FuseOpcode.SetAttr, 0), (FuseOpcode.OpenDir, 1), (
                FuseOpcode.ReleaseDir, 1),
        })
        {
            Assert.Equal((opcode, count), (opcode, after.GetValueOrDefault(opcode) - before.GetValueOrDefault(opcode)));
        }

        Assert.Equal("0", await guest.ExpectAsync($"stat -c %s {File}"));
        guest.AssertKernelIsSound();
    }

    private async Task<VirtualMachine> BootAsync(CoherentServer server)
    {
        VirtualMachine guest = await VirtualMachine.BootAsync(new VirtualMachineSettings
        {
            Name = "a",
            Image = VirtualMachineImage.Sid,
            WorkFolder = _work,
            DaemonSocket = server.SocketOf("a"),
            Tag = SharingDaemon.Tag,
            Device = FileSystemDevice.GenericVhostUser,
            KernelOptions = "slub_debug=FZPU panic_on_warn=1",
        });
        await guest.ExpectAsync($"mount -t coherency {SharingDaemon.Tag} {TwoGuests.MountPoint}");
        return guest;
    }

    private static Task<string> OpensAsync(VirtualMachine guest) => guest.ExpectAsync($"cat /sys/fs/coherency/{SharingDaemon.Tag}/opens");
}
