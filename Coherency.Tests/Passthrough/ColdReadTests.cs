using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Host.Server;

namespace Coherency.Tests.Passthrough;

/// <summary>Reads that must not wait: the host's page cache has what is read, or they say that it has not.</summary>
[Trait("Category", "Root")]
public sealed unsafe class ColdReadTests : IDisposable
{
    private const int PageBytes = 4096;

    private readonly TestShare _share = new();
    private readonly byte[] _bytes = new byte[8 * PageBytes];

    public void Dispose() => _share.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(PageBytes - 1)]
    [InlineData(PageBytes)]
    [InlineData(PageBytes + 1)]
    [InlineData(2 * PageBytes)]
    public void What_is_cached_is_read_to_the_end_of_the_file_without_waiting(int length)
    {
        (TestGuest guest, FileTarget file) = Open(length);
        Assert.Equal(length, Read(guest, file, 0, mayWait: true));
        Assert.Equal(length, Read(guest, file, 0, mayWait: false));
        Assert.Equal(length - 1, Read(guest, file, 1, mayWait: false));
        Assert.Equal(0, Read(guest, file, length, mayWait: false));
    }

    [Fact]
    public void What_is_not_cached_is_not_waited_for()
    {
        const int Length = 6 * PageBytes;
        using LoopFileSystem disk = new("mkfs.ext4 -q -F", Directory.CreateDirectory(_share.Path("disk")).FullName);
        (TestGuest guest, FileTarget file) = Open(Length, "disk");
        Drop("disk/file");
        Assert.Equal(-(int)Errno.EAGAIN, Read(guest, file, 0, mayWait: false));
        Assert.Equal(Length, Read(guest, file, 0, mayWait: true));
        Assert.Equal(Length, Read(guest, file, 0, mayWait: false));
    }

    /// <summary>The host answers with what comes before the first page that is missing, as if the file ended there.</summary>
    [Fact]
    public void What_is_cached_in_part_is_not_taken_for_all()
    {
        const int Length = 6 * PageBytes;
        using LoopFileSystem disk = new("mkfs.ext4 -q -F", Directory.CreateDirectory(_share.Path("disk")).FullName);
        (TestGuest guest, FileTarget file) = Open(Length, "disk");
        Drop("disk/file");
        // Written whole, a page need not be read before.
        using (FileStream first = File.OpenWrite(_share.Path("disk/file")))
        {
            first.Write(new byte[PageBytes]);
        }

        Assert.Equal(-(int)Errno.EAGAIN, Read(guest, file, 0, mayWait: false));
        Assert.Equal(Length, Read(guest, file, 0, mayWait: true));
    }

    [Fact]
    public void A_file_system_that_cannot_tell_is_read_all_the_same()
    {
        string place = Directory.CreateDirectory(_share.Path("fuse")).FullName;
        using LoopFileSystem disk = LoopFileSystem.IgnoringCase(place);
        (TestGuest guest, FileTarget file) = Open(100, "fuse");
        Assert.Equal(100, Read(guest, file, 0, mayWait: false));
        Assert.Equal(100, Read(guest, file, 0, mayWait: false));
    }

    private (TestGuest Guest, FileTarget File) Open(int length, string folder = "")
    {
        File.WriteAllBytes(Path.Combine(_share.Directory, folder, "file"), new byte[length]);
        TestGuest guest = _share.OpenGuest();
        return (guest, guest.Open(guest.Lookup(Path.Combine(folder, "file")).Node, OpenFlags.O_RDONLY));
    }

    private void Drop(string file) =>
        Assert.Equal(
            0,
            ChildProcess.Run(
                "sh", ["-c", $"sync {_share.Path(file)} && dd if={_share.Path(file)} iflag=nocache count=0 status=none"]).ExitCode);

    /// <returns>Bytes, or the error's number below zero.</returns>
    private int Read(TestGuest guest, FileTarget file, long offset, bool mayWait)
    {
        fixed (byte* start = _bytes)
        {
            IoVec vector = new(start, (nuint)_bytes.Length);
            Errno errno = guest.Files.Read(file, &vector, 1, offset, mayWait, out long bytes);
            return errno == Errno.None ? (int)bytes : -(int)errno;
        }
    }
}
