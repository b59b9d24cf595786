using System.Globalization;
using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Versioning;
using Coherency.Guest;
using Coherency.Guest.Coherence;
using Coherency.Guest.VirtualMachines;
using Xunit;
using Xunit.Abstractions;

namespace Coherency.Tests.Vm;

/// <summary>A file that others append to, as a log, while many tasks of this guest use it.</summary>
public abstract class GrowingFileTests(CoherentGuests guests, ITestOutputHelper output) : HeldReplyTest(guests)
{
    private const int PageBytes = 4096;

    /// <summary>More than Linux copies to a reader between two looks at the size.</summary>
    private const int Pages = 40;
    private const int TailBytes = 100;
    private const int Appended = 100;

    /// <summary>
    /// A reader is on its way to the end that it knows, in the middle of a page, when another task learns of a new one. That task is then
    /// busy dropping pages, one of which is just being read in, and has not come to the last: of which this guest knows nothing but
    /// zeros beyond the old end.
    /// </summary>
    [Fact]
    public async Task A_read_shows_no_zeros_where_another_guest_has_appended_text()
    {
        File.WriteAllText(Path.Combine(HostFolder, "file"), new string('a', Pages * PageBytes + TailBytes));
        File.WriteAllText(Path.Combine(HostFolder, "buffer"), new string('-', (Pages + 1) * PageBytes));
        await A.ExpectAsync($"cd {Folder} && cat file >/dev/null && stat file buffer && guest-tool forget-page file 0");

        using HeldReply firstPage = await HoldAsync(FuseOpcode.Read, "file");
        BackgroundCommand readerOfFirstPage = await A.StartAsync($"head -c 1 {Folder}/file");
        await firstPage.WaitAsync();
        using HeldReply buffer = await HoldAsync(FuseOpcode.Read, "buffer");
        BackgroundCommand reader = await A.StartAsync($"guest-tool read-into {Folder}/file {PageBytes} {Folder}/buffer");
        await buffer.WaitAsync();
        await B.ExpectAsync($"printf %0{Appended}d 7 >>{Folder}/file");
        BackgroundCommand learner = await A.StartAsync($"stat {Folder}/file");
        await A.ExpectAsync(
            $"until [ $(guest-tool known-size {Folder}/file) = {Pages * PageBytes + TailBytes + Appended} ]; do usleep 1000; done");
        buffer.Release();

        long[] read = [.. (await reader.CompletionAsync()).Text.Split(' ').Select(text => long.Parse(text, CultureInfo.InvariantCulture))];
        firstPage.Release();
        await learner.CompletionAsync();
        await readerOfFirstPage.CompletionAsync();
        output.WriteLine($"{read[0]} bytes read, {read[1]} zeros");
        Assert.True(read[0] >= (Pages - 1) * PageBytes + TailBytes, $"only {read[0]} bytes");
        Assert.Equal(0, read[1]);
    }

    /// <summary>Each answer to the guest's question for attributes is outdated when it comes.</summary>
    [Fact]
    public async Task Nothing_fails_on_a_file_that_never_stays_as_it_is()
    {
        const int threads = 16, rounds = 10;
        const int size = 64 * 1024;
        File.WriteAllText(Path.Combine(HostFolder, "file"), new string('a', size));
        using VirtioFsGuest user = Server.ConnectUserSpaceGuest();
        using VersionTableReader table = VersionTableReader.Open(Server.TableOf("user-space"));
        using CoherentCache cache = CoherentCache.Attach(user.Fuse, table);
        NodeId file = cache.Lookup(cache.Lookup(NodeId.Root, Path.GetFileName(HostFolder))!.Value, "file")!.Value;
        long grown = 0;
        string said;
        using (Server.Gate.Intercept("a", FuseOpcode.GetAttr, await InodeOfAsync("file"), answer =>
        {
            ulong next = (ulong)(size + Interlocked.Increment(ref grown));
            cache.SetAttributes(file, new fuse_setattr_in { valid = (uint)FuseSetAttrValid.Size, size = next });
            return answer;
        }))
        {
            said = await A.ExpectAsync($"guest-tool use-file {Folder}/file {threads} {rounds}", LongCommand);
        }

        output.WriteLine($"{grown} times grown: {said}");
        Assert.True(grown >= rounds, $"grew only {grown} times");
        Assert.Equal($"{threads * rounds} rounds, no failure", said);
    }
}

[Collection(CoherentStableGuests.Collection)]
public sealed class StableGrowingFileTests(CoherentStableGuests guests, ITestOutputHelper output) : GrowingFileTests(guests, output);

[Collection(CoherentTrixieGuests.Collection)]
public sealed class TrixieGrowingFileTests(CoherentTrixieGuests guests, ITestOutputHelper output) : GrowingFileTests(guests, output);

[Collection(CoherentSidGuests.Collection)]
public sealed class SidGrowingFileTests(CoherentSidGuests guests, ITestOutputHelper output) : GrowingFileTests(guests, output);
