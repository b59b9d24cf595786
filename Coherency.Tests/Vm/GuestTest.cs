using Coherency.Guest.VirtualMachines;
using Xunit;

namespace Coherency.Tests.Vm;

/// <summary>A test in two guests, with a folder of its own in the share.</summary>
[Trait("Category", "Vm")]
public abstract class GuestTest(TwoGuests guests) : IAsyncLifetime
{
    private static int _folders;

    private readonly string _name = $"test-{Interlocked.Increment(ref _folders)}";

    protected VirtualMachine A => guests.A;

    protected VirtualMachine B => guests.B;

    /// <summary>This test's folder as the guests see it.</summary>
    protected string Folder => $"{TwoGuests.MountPoint}/{_name}";

    /// <summary>This test's folder as the host sees it.</summary>
    protected string HostFolder => Path.Combine(guests.SharedDirectory, _name);

    public async Task InitializeAsync()
    {
        await guests.EnsureReadyAsync();
        Directory.CreateDirectory(HostFolder);
    }

    public async Task DisposeAsync()
    {
        try
        {
            guests.AssertSound();
        }
        finally
        {
            // What a test that failed has left mounted is not the next one's.
            await HostShell.ExpectAsync(
                $"for m in $(awk '$2 ~ \"^{HostFolder}/\" {{ print $2 }}' /proc/mounts | tac); do umount -l $m; done; rm -rf {HostFolder}");
        }
        await guests.ExpectAllForgottenAsync();
    }

    /// <summary>Asks the host and both guests the same question, in this test's folder.</summary>
    protected async Task<string> ExpectSameEverywhereAsync(string command)
    {
        var host = await HostShell.ExpectAsync($"cd {HostFolder} && {command}");
        var inGuest = $"cd {Folder} && {command}";
        var answers = await Task.WhenAll(A.ExpectAsync(inGuest, LongCommand), B.ExpectAsync(inGuest, LongCommand));
        Assert.Equal([host, host], answers);
        return host;
    }

    /// <summary>For commands that take tens of seconds under emulation.</summary>
    protected static TimeSpan LongCommand => TimeSpan.FromMinutes(5);
}
