using Coherency.Core.Fuse;
using Coherency.Guest.Coherence;
using Coherency.Tests.Passthrough;
using Xunit;

namespace Coherency.Tests.Daemon;

/// <summary>A file system that ignores case: a name is found, and is gone, by every spelling, for whoever made the change.</summary>
[Trait("Category", "Root")]
public sealed class CaseInsensitiveTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void A_name_comes_and_goes_by_all_its_spellings(int actor)
    {
        using LoopFileSystem disk = LoopFileSystem.IgnoringCase();
        using ServedCaches guests = new(disk.Directory, disk.Directory);
        CoherentCache other = guests[1];
        Assert.Null(other.Lookup(NodeId.Root, "FOO"));
        NodeId made = guests[actor].CreateFile(NodeId.Root, "foo");
        Assert.Equal(made, other.Lookup(NodeId.Root, "FOO"));
        guests[actor].Rename(NodeId.Root, "Foo", NodeId.Root, "bar");
        Assert.Null(other.Lookup(NodeId.Root, "FOO"));
        Assert.Equal(made, other.Lookup(NodeId.Root, "BAR"));
        guests[actor].DeleteFile(NodeId.Root, "Bar");
        Assert.Null(other.Lookup(NodeId.Root, "BAR"));
    }

    [Fact]
    public async Task A_program_of_the_host_makes_names_known_by_all_their_spellings()
    {
        using LoopFileSystem disk = LoopFileSystem.IgnoringCase();
        using ServedCaches guests = new(disk.Directory);
        Assert.Null(guests[0].Lookup(NodeId.Root, "FOO"));
        await Vm.HostShell.ExpectAsync($"touch {disk.Directory}/foo");
        Assert.NotNull(guests[0].Lookup(NodeId.Root, "FOO"));
    }
}
