using Coherency.Guest.VirtualMachines;
using Xunit;

namespace Coherency.Tests.Vm;

/// <summary>
/// A guest whose kernel has SELinux gives its labels to what it makes. It has no policy, so that the labels are SELinux's initial ones.
/// </summary>
[Trait("Category", "Root")]
public sealed class GuestLabelTests : SingleGuestTest
{
    private const string Label = "security.selinux";

    [Theory]
    [InlineData("stable")]
    [InlineData("trixie")]
    [InlineData("sid")]
    public async Task What_a_guest_makes_has_the_label_of_its_kernel(string kernel)
    {
        await using CoherentServer server = new(Shared, Work, ["a"], configure: share =>
        {
            share.SecurityLabel = true;
            share.Xattrmap = $":map:{Label}:trusted.virtiofs.:";
        });
        await using VirtualMachine guest = await BootAsync(server, kernel, kernelOptions: "lsm=selinux");
        await MakeAsync(guest, "module");
        await guest.ExpectAsync($"umount {TwoGuests.MountPoint} && mount -t virtiofs {SharingDaemon.Tag} {TwoGuests.MountPoint}");
        await MakeAsync(guest, "stock");
        guest.AssertKernelIsSound();
    }

    private async Task MakeAsync(VirtualMachine guest, string prefix)
    {
        await guest.ExpectAsync(
            $"cd {TwoGuests.MountPoint} && echo text >{prefix}-file && mkdir {prefix}-directory && mkfifo {prefix}-fifo"
            + $" && ln -s target {prefix}-symlink");
        foreach (string name in (string[])["file", "directory", "fifo", "symlink"])
        {
            string label = await HostShell.ExpectAsync(
                $"python3 -c 'import os, sys; print(os.getxattr(*sys.argv[1:], follow_symlinks=False).decode().rstrip(chr(0)))' "
                + $"{Shared}/{prefix}-{name} trusted.virtiofs.{Label}");
            Assert.Contains(label, (string[])["unlabeled", "file", "kernel"]);
        }
    }
}
