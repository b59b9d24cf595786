using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Host.Server;
using Xunit;

namespace Coherency.Tests.Passthrough;

/// <summary>Directories read by node: each request says where it goes on, and nothing else remembers.</summary>
[Trait("Category", "Root")]
public sealed class ByNodeDirectoryTests : IDisposable
{
    private const int Entries = 5000;

    private readonly TestShare _share = new();
    private readonly TestGuest _guest;
    private readonly FileTarget _directory;

    public ByNodeDirectoryTests()
    {
        Directory.CreateDirectory(_share.Path("d"));
        for (int i = 0; i < Entries; i++)
        {
            File.WriteAllBytes(_share.Path($"d/file{i}"), []);
        }

        _guest = _share.OpenGuestWithoutOpens();
        _directory = new FileTarget(_guest.Lookup("d").Node, default);
    }

    public void Dispose() => _share.Dispose();

    [Theory]
    [InlineData(true, 4096)]
    [InlineData(false, 4096)]
    [InlineData(false, 300)]
    public void A_large_directory_is_read_whole(bool plus, int replyBytes)
    {
        List<ListedEntry> all = _guest.List(_directory, plus, replyBytes);
        ExpectAll(all);
    }

    [Fact]
    public void Two_readers_do_not_disturb_each_other()
    {
        TestGuest other = _share.OpenGuestWithoutOpens();
        FileTarget inOther = new(other.Lookup("d").Node, default);
        List<ListedEntry> fast = [];
        List<ListedEntry> slow = [];
        while (ReadOn(_guest, _directory, fast, 8192) > 0)
        {
            ReadOn(other, inOther, slow, 1000);
            ReadOn(_guest, _directory, fast, 500);
        }

        while (ReadOn(other, inOther, slow, 4096) > 0)
        {
        }

        ExpectAll(fast);
        ExpectAll(slow);
    }

    [Fact]
    public async Task Readers_at_the_same_time_all_see_everything()
    {
        List<ListedEntry>[] seen = await Task.WhenAll(
            Enumerable.Range(0, 4).Select(_ => Task.Run(() => _guest.List(_directory, plus: false, replyBytes: 2000))));
        Assert.All(seen, ExpectAll);
    }

    [Fact]
    public void Any_position_that_was_given_can_be_gone_back_to()
    {
        List<ListedEntry> all = _guest.List(_directory, plus: false);
        Random random = new(3);
        for (int i = 0; i < 50; i++)
        {
            int at = random.Next(all.Count - 1);
            ListingSink sink = new(4096);
            TestGuest.Expect(_guest.Files.ReadDirectory(_directory, all[at].NextOffset, false, sink));
            Assert.Equal(all[at + 1].Name, sink.Entries[0].Name);
        }
    }

    [Fact]
    public void Entries_removed_meanwhile_hide_no_others()
    {
        List<ListedEntry> all = [];
        int removed = 0;
        while (ReadOn(_guest, _directory, all, 4096) > 0)
        {
            // Behind the reader, so that counted positions would move.
            foreach (ListedEntry entry in all.Skip(removed).Take(20).Where(entry => entry.Name[0] != '.'))
            {
                File.Delete(_share.Path($"d/{entry.Name}"));
            }

            removed += 20;
        }

        ExpectAll(all);
    }

    [Fact]
    public void A_directory_that_was_forgotten_is_stale()
    {
        _guest.List(_directory, plus: false);
        _guest.Files.Forget(_directory.Node, 1);
        Assert.Equal(Errno.ESTALE, _guest.Files.ReadDirectory(_directory, 0, false, new ListingSink(4096)));
    }

    private static int ReadOn(TestGuest guest, FileTarget directory, List<ListedEntry> all, int bytes)
    {
        ListingSink sink = new(bytes);
        TestGuest.Expect(guest.Files.ReadDirectory(directory, all.Count == 0 ? 0 : all[^1].NextOffset, false, sink));
        all.AddRange(sink.Entries);
        return sink.Entries.Count;
    }

    private static void ExpectAll(List<ListedEntry> all)
    {
        Assert.Equal(Entries + 2, all.Count);
        Assert.Equal(Entries + 2, all.Select(entry => entry.Name).Distinct().Count());
    }
}
