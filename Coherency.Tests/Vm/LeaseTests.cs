using Coherency.Guest.VirtualMachines;
using Xunit;

namespace Coherency.Tests.Vm;

/// <summary>A lease tells its holder before somebody else changes the file. No guest can tell that of the others.</summary>
public abstract class LeaseTests(CoherentGuests guests) : HeldReplyTest(guests)
{
    [Theory]
    [InlineData("read")]
    [InlineData("write")]
    public async Task A_lease_is_refused_for_another_guest_would_not_break_it(string kind)
    {
        await A.ExpectAsync($"touch {Folder}/file /run/file");
        Assert.Equal("taken", await A.ExpectAsync($"guest-tool lease /run/file {kind}"));
        CommandResult lease = await A.RunAsync($"guest-tool lease {Folder}/file {kind}");
        Assert.True(lease.ExitCode == 1 && lease.Text is "EINVAL" or "EAGAIN", lease.Text);
    }
}

[Collection(CoherentStableGuests.Collection)]
public sealed class StableLeaseTests(CoherentStableGuests guests) : LeaseTests(guests);

[Collection(CoherentTrixieGuests.Collection)]
public sealed class TrixieLeaseTests(CoherentTrixieGuests guests) : LeaseTests(guests);

[Collection(CoherentSidGuests.Collection)]
public sealed class SidLeaseTests(CoherentSidGuests guests) : LeaseTests(guests);
