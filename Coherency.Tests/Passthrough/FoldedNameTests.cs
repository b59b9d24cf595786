using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Host.Passthrough;
using Coherency.Host.Server;
using Coherency.Tests.Coherence;
using Xunit;

namespace Coherency.Tests.Passthrough;

/// <summary>
/// Directories in which several spellings are one name. Few kernels of test machines have single ones (those of ext4 with
/// casefold, for example), so the question whether a directory is one is answered here.
/// </summary>
public sealed class FoldedNameTests : IDisposable
{
    private readonly List<string> _asked = [];
    private readonly TestShare _share;
    private readonly TestGuest _guest;

    public FoldedNameTests()
    {
        _share = new TestShare(o => o with { RuleOfDirectory = Answer });
        foreach (string directory in new[] { "plain", "folding" })
        {
            Directory.CreateDirectory(_share.Path(directory));
            _share.WriteFile($"{directory}/file");
        }

        _guest = _share.OpenGuest();
    }

    public void Dispose() => _share.Dispose();

    [Fact]
    public void Names_in_such_a_directory_may_not_be_kept()
    {
        foreach ((string directory, bool expected) in new[] { ("plain", false), ("folding", true) })
        {
            Entry parent = _guest.Lookup(directory);
            Assert.False(parent.HasSpellings);
            Assert.Equal(expected, _guest.Lookup($"{directory}/file").HasSpellings);
            Assert.Equal(Errno.ENOENT, _guest.TryLookup(parent.Node, "absent", out Entry absent));
            Assert.Equal(expected, absent.HasSpellings);
            Assert.Equal(expected, _guest.Create(parent.Node, "made").Entry.HasSpellings);
            TestGuest.Expect(_guest.TryMakeDirectory(parent.Node, "inner", out Entry inner));
            Assert.Equal(expected, inner.HasSpellings);
            TestGuest.Expect(_guest.TryLink(_guest.Lookup("plain/file").Node, parent.Node, "linked", out Entry linked));
            Assert.Equal(expected, linked.HasSpellings);
            Assert.All(_guest.List(parent.Node).Where(entry => entry.Node != 0), entry => Assert.Equal(expected, entry.HasSpellings));
        }
    }

    [Fact]
    public void A_directory_is_asked_once()
    {
        for (int i = 0; i < 3; i++)
        {
            _guest.Lookup("plain/file");
        }

        Assert.Equal([_share.Directory, _share.Path("plain")], _asked);
    }

    /// <summary>A client moves what it knows of the name along; that it may not be kept there it learns by asking.</summary>
    [Theory]
    [InlineData("plain", "folding", true)]
    [InlineData("folding", "plain", true)]
    [InlineData("plain", "plain", false)]
    [InlineData("folding", "folding", false)]
    public void Who_renames_into_such_a_directory_asks_for_the_name_again(string from, string to, bool isTold)
    {
        using WatchedTable own = new(_share.Share.Group, _share.Share.RootKey);
        TestGuest guest = _share.OpenGuest(own.View);
        NodeId source = guest.Lookup(from).Node;
        NodeId target = guest.Lookup(to).Node;
        own.TakeMoves();
        TestGuest.Expect(guest.TryRename(source, "file", target, "moved"));
        Assert.Equal(isTold, own.TakeMoves().Count > 0);
    }

    private NameRule Answer(int fd)
    {
        string path = new FileInfo($"/proc/self/fd/{fd}").LinkTarget!;
        _asked.Add(path);
        return path.EndsWith("/folding", StringComparison.Ordinal) ? NameRule.Folding : NameRule.Exact;
    }
}
