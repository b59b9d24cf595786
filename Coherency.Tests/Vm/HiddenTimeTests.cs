using Xunit;

namespace Coherency.Tests.Vm;

/// <summary>
/// fuse drops pages and listings of itself when it learns of another time of change. Here the time is set back to what it was before
/// anybody looks, so that only the version table tells of the change. Set by the daemon's process, it is no change of the host.
/// </summary>
public abstract class HiddenTimeTests(CoherentGuests guests) : GuestTest(guests)
{
    [Fact]
    public async Task What_another_guest_has_written_is_read()
    {
        string file = Path.Combine(HostFolder, "file");
        File.WriteAllText(file, "old");
        File.SetLastWriteTimeUtc(file, DateTime.UnixEpoch);
        Assert.Equal("old", await A.ExpectAsync($"cat {Folder}/file"));

        await B.ExpectAsync($"printf new | dd of={Folder}/file conv=notrunc 2>/dev/null");
        File.SetLastWriteTimeUtc(file, DateTime.UnixEpoch);
        Assert.Equal("new", await A.ExpectAsync($"cat {Folder}/file"));
    }

    [Fact]
    public async Task What_another_guest_has_made_is_listed()
    {
        string directory = Directory.CreateDirectory(Path.Combine(HostFolder, "directory")).FullName;
        File.WriteAllText(Path.Combine(directory, "old"), "");
        Directory.SetLastWriteTimeUtc(directory, DateTime.UnixEpoch);
        Assert.Equal("old", await A.ExpectAsync($"ls {Folder}/directory"));

        await B.ExpectAsync($": >{Folder}/directory/new");
        Directory.SetLastWriteTimeUtc(directory, DateTime.UnixEpoch);
        Assert.Equal("new\nold", await A.ExpectAsync($"ls {Folder}/directory"));
    }
}

[Collection(CoherentStableGuests.Collection)]
public sealed class StableHiddenTimeTests(CoherentStableGuests guests) : HiddenTimeTests(guests);

[Collection(CoherentTrixieGuests.Collection)]
public sealed class TrixieHiddenTimeTests(CoherentTrixieGuests guests) : HiddenTimeTests(guests);

[Collection(CoherentSidGuests.Collection)]
public sealed class SidHiddenTimeTests(CoherentSidGuests guests) : HiddenTimeTests(guests);
