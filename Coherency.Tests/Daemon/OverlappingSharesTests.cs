using Coherency.Core.Fuse;
using Coherency.Core.Versioning;
using Coherency.Daemon.Commands;
using Coherency.Daemon.Configuration;
using Coherency.Daemon.Hosting;
using Coherency.Guest;
using Coherency.Guest.Coherence;
using Coherency.Host.Passthrough;
using Microsoft.Extensions.Logging.Abstractions;

namespace Coherency.Tests.Daemon;

/// <summary>Guests of two shares, one of which is a directory of the other: what one changes, the other sees at once.</summary>
public sealed class OverlappingSharesTests : IDisposable
{
    private readonly DirectoryInfo _work = Directory.CreateTempSubdirectory("coherency-overlap-");

    public void Dispose() => _work.Delete(recursive: true);

    [Fact]
    public void A_change_in_one_share_is_seen_in_the_other()
    {
        string outer = _work.CreateSubdirectory("outer").FullName;
        string inner = Directory.CreateDirectory(Path.Combine(outer, "inner")).FullName;
        string[] sockets = [.. "ab".Select(name => Path.Combine(_work.FullName, $"{name}.sock"))];
        ServeConfiguration configuration = new() { Shares = [Share(outer, "a", sockets[0]), Share(inner, "b", sockets[1])] };
        using GuestServer server = new(configuration, NullLoggerFactory.Instance);
        Assert.Same(server.Shares[0].Group, server.Shares[1].Group);
        using VirtioFsGuest a = VirtioFsGuest.Connect(sockets[0]);
        using VirtioFsGuest b = VirtioFsGuest.Connect(sockets[1]);
        using VersionTableReader tableOfA = VersionTableReader.Open(sockets[0] + ".table");
        using VersionTableReader tableOfB = VersionTableReader.Open(sockets[1] + ".table");
        using CoherentCache cacheOfA = CoherentCache.Attach(a.Fuse, tableOfA);
        using CoherentCache cacheOfB = CoherentCache.Attach(b.Fuse, tableOfB);

        NodeId folder = cacheOfA.Lookup(NodeId.Root, "inner")!.Value;
        for (int i = 0; i < 100; i++)
        {
            Assert.Null(cacheOfA.Lookup(folder, $"file{i}"));
            cacheOfB.CreateFile(NodeId.Root, $"file{i}");
            Assert.NotNull(cacheOfA.Lookup(folder, $"file{i}"));
            cacheOfA.DeleteFile(folder, $"file{i}");
            Assert.Null(cacheOfB.Lookup(NodeId.Root, $"file{i}"));
        }
    }

    [Fact]
    public void What_would_break_the_promise_for_the_other_share_is_refused()
    {
        string outer = _work.CreateSubdirectory("outer").FullName;
        string inner = Directory.CreateDirectory(Path.Combine(outer, "inner")).FullName;
        ShareConfiguration first = Share(outer, "a", Path.Combine(_work.FullName, "a.sock"));
        ShareConfiguration second = Share(inner, "b", Path.Combine(_work.FullName, "b.sock"));
        Assert.Contains("only if one guest writes", Refusal(first with { Writeback = true }, second), StringComparison.Ordinal);
        Assert.Contains(
            "--inode-file-handles", Refusal(first, second with { InodeFileHandles = InodeFileHandles.Never }), StringComparison.Ordinal);

        static string Refusal(params ShareConfiguration[] shares) => Assert.Throws<UsageException>(
            () => new GuestServer(new ServeConfiguration { Shares = shares }, NullLoggerFactory.Instance)).Message;
    }

    /// <summary>It was allowed because one guest writes: a second one must not come later.</summary>
    [Fact]
    public void Nobody_is_added_beside_a_guest_that_keeps_what_it_wrote()
    {
        string directory = _work.CreateSubdirectory("shared").FullName;
        ShareConfiguration first = Share(directory, "a", Path.Combine(_work.FullName, "a.sock")) with { Writeback = true };
        ShareConfiguration second = Share(directory, "b", Path.Combine(_work.FullName, "b.sock")) with { Writeback = true };
        using GuestServer server = new(new ServeConfiguration { Shares = [first] }, NullLoggerFactory.Instance);
        foreach (bool alike in (bool[])[true, false])
        {
            UsageException refused = Assert.Throws<UsageException>(() => server.Add(second with { Writeback = alike }));
            Assert.Contains("--writeback keeps what a guest wrote", refused.Message, StringComparison.Ordinal);
        }

        Assert.Equal(["a"], server.Guests.Select(guest => guest.Name));
    }

    [Fact]
    public void Shares_that_have_nothing_in_common_tell_each_other_nothing()
    {
        string[] directories = [.. "ab".Select(name => _work.CreateSubdirectory($"{name}").FullName)];
        ServeConfiguration configuration = new()
        {
            Shares = [.. directories.Select((directory, i) => Share(directory, $"g{i}", Path.Combine(_work.FullName, $"{i}.sock")))],
        };
        using GuestServer server = new(configuration, NullLoggerFactory.Instance);
        Assert.NotSame(server.Shares[0].Group, server.Shares[1].Group);
    }

    private static ShareConfiguration Share(string directory, string guest, string socket) => new()
    {
        SharedDir = directory,
        Guests = [new GuestConfiguration { Name = guest, Socket = socket }],
    };
}
