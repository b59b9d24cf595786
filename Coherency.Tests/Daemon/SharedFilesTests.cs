using Coherency.Core.Fuse;
using Coherency.Guest.Coherence;
using Coherency.Tests.Vm;
using Xunit;

namespace Coherency.Tests.Daemon;

/// <summary>Shares that are neighbours on one file system come to contain the same files, before or while they are served.</summary>
public sealed class SharedFilesTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private readonly DirectoryInfo _work = Directory.CreateTempSubdirectory("coherency-neighbours-");
    private readonly string _a;
    private readonly string _b;

    public SharedFilesTests()
    {
        _a = _work.CreateSubdirectory("a").FullName;
        _b = _work.CreateSubdirectory("b").FullName;
        File.WriteAllText(Path.Combine(_a, "file"), "text");
    }

    public void Dispose() => _work.Delete(recursive: true);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_file_with_a_name_in_each(bool isLinkedBefore)
    {
        string link = $"ln {_a}/file {_b}/file";
        await HostShell.ExpectAsync(isLinkedBefore ? link : "true");
        using ServedCaches guests = new(_a, _b);
        await HostShell.ExpectAsync(isLinkedBefore ? "true" : link);
        NodeId inA = guests[0].Lookup(NodeId.Root, "file")!.Value;
        NodeId inB = guests[1].Lookup(NodeId.Root, "file")!.Value;
        for (ulong size = 1; size <= 20; size++)
        {
            (CoherentCache actor, CoherentCache other) = size % 2 == 0 ? (guests[0], guests[1]) : (guests[1], guests[0]);
            other.GetAttributes(inB);
            actor.SetAttributes(inA, new() { valid = (uint)FuseSetAttrValid.Size, size = size });
            Assert.True(SpinWait.SpinUntil(() => other.GetAttributes(inB).size == size, Patience), $"{size}");
        }

        guests[0].DeleteFile(NodeId.Root, "file");
        Assert.True(SpinWait.SpinUntil(() => guests[1].GetAttributes(inB).nlink == 1, Patience));
    }

    [Fact]
    public async Task A_directory_that_moves_from_one_to_the_other()
    {
        Directory.CreateDirectory(Path.Combine(_a, "moved"));
        using ServedCaches guests = new(_a, _b);
        NodeId inA = guests[0].Lookup(NodeId.Root, "moved")!.Value;
        await HostShell.ExpectAsync($"mv {_a}/moved {_b}/moved");
        NodeId inB = guests[1].Lookup(NodeId.Root, "moved")!.Value;
        Assert.Empty(guests[1].List(inB));
        Assert.Null(guests[1].Lookup(inB, "new"));
        // By what it still holds.
        guests[0].CreateFile(inA, "new");
        Assert.True(SpinWait.SpinUntil(() => guests[1].Lookup(inB, "new") is not null, Patience));
        Assert.True(SpinWait.SpinUntil(() => guests[1].List(inB).Count == 1, Patience));
    }
}
