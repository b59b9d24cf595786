using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Host.Server;
using Xunit;

namespace Coherency.Tests.Passthrough;

/// <summary>
/// The flags that a client may change after it has opened a file are those that come with a request, not those that it opened the
/// file with. In pairs: with opens, and without.
/// </summary>
[Trait("Category", "Root")]
public sealed unsafe class OpenFlagTests
{
    private const int Appending = OpenFlags.O_RDWR | OpenFlags.O_APPEND;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Pages_of_a_mapping_are_written_in_their_place(bool opens)
    {
        using TestShare share = new();
        (TestGuest guest, FileTarget file) = Open(share, opens, "abc", Appending);
        TestGuest.Expect(guest.TryWrite(file, "X", 0, FuseWriteFlags.Cache));
        Assert.Equal("Xbc", File.ReadAllText(share.Path("file")));
        TestGuest.Expect(guest.TryWrite(file, "Y", 1, FuseWriteFlags.Cache, Appending));
        Assert.Equal("XYc", File.ReadAllText(share.Path("file")));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Appending_begins_and_ends_with_a_write_that_says_so(bool opens)
    {
        using TestShare share = new();
        (TestGuest guest, FileTarget file) = Open(share, opens, "abc", Appending);
        TestGuest.Expect(guest.TryWrite(file, "d", 0, openFlags: Appending));
        TestGuest.Expect(guest.TryWrite(file, "X", 0, openFlags: OpenFlags.O_RDWR));
        Assert.Equal("Xbcd", File.ReadAllText(share.Path("file")));

        (guest, file) = Open(share, opens, "abc", OpenFlags.O_RDWR);
        TestGuest.Expect(guest.TryWrite(file, "X", 0, openFlags: OpenFlags.O_RDWR));
        TestGuest.Expect(guest.TryWrite(file, "d", 0, openFlags: Appending | OpenFlags.O_SYNC));
        Assert.Equal("Xbcd", File.ReadAllText(share.Path("file")));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_file_that_only_takes_appends_takes_them(bool opens)
    {
        using TestShare share = new();
        share.WriteFile("file", "abc");
        Assert.Equal(0, ChildProcess.Run("chattr", ["+a", share.Path("file")]).ExitCode);
        try
        {
            (TestGuest guest, FileTarget file) = Open(share, opens, null, Appending);
            TestGuest.Expect(guest.TryWrite(file, "d", 0, openFlags: Appending));
            Assert.Equal("abcd", File.ReadAllText(share.Path("file")));
            NodeId node = guest.Lookup("file").Node;
            Errno errno = opens ? guest.TryOpen(node, OpenFlags.O_RDWR, out _) : guest.TryWrite(file, "X", 0, openFlags: OpenFlags.O_RDWR);
            Assert.Equal(Errno.EPERM, errno);
        }
        finally
        {
            ChildProcess.Run("chattr", ["-a", share.Path("file")]);
        }
    }

    [Theory]
    [InlineData(true, OpenFlags.O_RDONLY)]
    [InlineData(true, OpenFlags.O_RDONLY | OpenFlags.O_NOATIME)]
    [InlineData(false, OpenFlags.O_RDONLY)]
    public void Reading_moves_the_access_time_unless_it_says_not_to(bool opens, int openedWith)
    {
        // Not in /tmp, which machines mount with noatime.
        using TestShare share = new(parent: "/dev/shm");
        (TestGuest guest, FileTarget file) = Open(share, opens, "abc", openedWith);
        DateTime old = DateTime.UtcNow.AddYears(-20);
        File.SetLastAccessTimeUtc(share.Path("file"), old);
        Assert.Equal("abc", guest.Read(file with { OpenFlags = OpenFlags.O_NOATIME }));
        Assert.Equal(old, File.GetLastAccessTimeUtc(share.Path("file")));
        Assert.Equal("abc", guest.Read(file));
        Assert.NotEqual(old, File.GetLastAccessTimeUtc(share.Path("file")));
    }

    /// <summary>Memory, offset or length that does not suit the disk: the guest's kernel has not told the program that.</summary>
    [Theory]
    [InlineData(true, "/tmp")]
    [InlineData(false, "/tmp")]
    [InlineData(true, "/dev/shm")]
    [InlineData(false, "/dev/shm")]
    public void Direct_requests_that_the_disk_does_not_take_are_served_all_the_same(bool opens, string parent)
    {
        const int direct = OpenFlags.O_RDWR | OpenFlags.O_DIRECT;
        using TestShare share = new(o => o with { AllowDirectIo = true }, parent);
        (TestGuest guest, FileTarget file) = Open(share, opens, new string('a', 10_000), direct);
        file = file with { OpenFlags = direct };
        TestGuest.Expect(guest.TryWrite(file, "XYZ", 4095, openFlags: direct));
        TestGuest.Expect(guest.TryWrite(file, "end", 0, openFlags: direct | OpenFlags.O_APPEND));
        Assert.Equal("aXYZa", guest.Read(file, 4094, 5));
        Assert.Equal("aend", guest.Read(file, 9_999));
        Assert.Equal("aXYZa", guest.Read(file with { OpenFlags = OpenFlags.O_RDWR }, 4094, 5));
    }

    /// <summary>A guest with a file open, or with its node alone.</summary>
    private static (TestGuest Guest, FileTarget File) Open(TestShare share, bool opens, string? content, int flags)
    {
        if (content is not null)
        {
            share.WriteFile("file", content);
        }

        TestGuest guest = opens ? share.OpenGuest() : share.OpenGuestWithoutOpens();
        NodeId node = guest.Lookup("file").Node;
        return (guest, opens ? guest.Open(node, flags) : new FileTarget(node, default));
    }
}
