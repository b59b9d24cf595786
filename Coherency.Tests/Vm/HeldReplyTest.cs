using System.Globalization;
using Coherency.Core.Fuse;
using Xunit;

namespace Coherency.Tests.Vm;

/// <summary>A test of two guests with the module, in which the daemon's replies to guest a can be held back.</summary>
public abstract class HeldReplyTest(CoherentGuests guests) : GuestTest(guests)
{
    protected CoherentServer Server => guests.Server;

    /// <summary>Holds the next such reply back that is about a file of this test's folder.</summary>
    /// <param name="toPass">So many are let go before it.</param>
    protected async Task<HeldReply> HoldAsync(FuseOpcode opcode, string file, int toPass = 0) =>
        Server.Gate.Hold("a", opcode, await InodeOfAsync(file), toPass);

    /// <summary>An inode's number on the host.</summary>
    protected async Task<ulong> InodeOfAsync(string file) =>
        ulong.Parse(await HostShell.ExpectAsync($"stat -c %i {HostFolder}/{file}"), CultureInfo.InvariantCulture);

    /// <summary>Fails with all that is wrong, one to a line.</summary>
    protected static void AssertNone(IEnumerable<string> wrong)
    {
        string all = string.Join('\n', wrong);
        Assert.True(all.Length == 0, all);
    }
}
