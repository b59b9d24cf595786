using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Host.Passthrough;
using Coherency.Host.Server;
using Coherency.Tests.Coherence;
using Xunit;

namespace Coherency.Tests.Passthrough;

/// <summary>Inodes whose keys collide are told apart by their handles.</summary>
public sealed class CollisionTests
{
    private sealed class ConstantHash(ulong key) : IInodeKeyHash
    {
        public ulong Hash(ulong fileSystemId, ushort handleType, ReadOnlySpan<byte> handle) => key;
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(0x123456789ABCDEF0)]
    [InlineData(ulong.MaxValue)]
    public void Colliding_inodes_get_ids_of_their_own_and_are_not_cached(ulong key)
    {
        using TestShare share = new(o => o with { KeyHash = new ConstantHash(key) });
        TestGuest guest = share.OpenGuest();
        Assert.True(share.Share.RootKey > 1);
        for (int i = 0; i < 50; i++)
        {
            share.WriteFile($"{i}", $"content {i}");
        }

        Entry[] entries = [.. Enumerable.Range(0, 50).Select(i => guest.Lookup($"{i}"))];
        Assert.Equal(50, entries.Select(e => e.Node).Distinct().Count());
        Assert.All(entries, e => Assert.True(e.Node.IsDisplaced && e.Node.Value > 1 && e.Node.Value != share.Share.RootKey));
        // Again and in another order: the same inode keeps its id, although others were forgotten in between.
        for (int i = 0; i < 50; i += 2)
        {
            guest.Files.Forget(entries[i].Node, 1);
        }

        for (int i = 49; i > 0; i -= 2)
        {
            Assert.Equal(entries[i].Node, guest.Lookup($"{i}").Node);
            Assert.Equal($"content {i}", guest.Read(guest.Open(entries[i].Node, OpenFlags.O_RDONLY)));
        }
    }

    /// <summary>The client may know a file by two ids, and does not connect them.</summary>
    [Fact]
    public void While_some_inode_is_displaced_a_client_is_told_of_its_own_changes_too()
    {
        using TestShare share = new(o => o with { KeyHash = new ConstantHash(0x123456789ABCDEF0) });
        using WatchedTable own = new(share.Share.Group, share.Share.RootKey);
        TestGuest guest = share.OpenGuest(own.View);
        share.WriteFile("a");
        guest.Lookup("a");
        own.TakeMoves();
        TestGuest.Expect(guest.TryUnlink(NodeId.Root, "a"));
        Assert.NotEmpty(own.TakeMoves());
    }
}
