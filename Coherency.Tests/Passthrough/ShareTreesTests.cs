using Coherency.Host.Passthrough;
using Xunit;

namespace Coherency.Tests.Passthrough;

/// <summary>Shares that reach the same files are found, by whichever mounts they do.</summary>
public sealed class ShareTreesTests
{
    private static readonly string[] MountInfo =
    [
        "20 1 8:1 / / rw - ext4 /dev/sda1 rw",
        "21 20 8:2 / /srv rw - ext4 /dev/sda2 rw",
        "22 20 8:2 /code/inner /mnt/bound rw - ext4 /dev/sda2 rw",
        "23 21 0:50 / /srv/with\\040space rw - tmpfs tmpfs rw",
        "24 20 0:50 /deep /elsewhere rw - tmpfs tmpfs rw",
    ];

    [Theory]
    [InlineData("/srv/code", "/srv/code", true)]
    [InlineData("/srv/code", "/srv/code/inner", true)]
    [InlineData("/srv/code", "/srv/codec", false)]
    [InlineData("/srv/code", "/srv/other", false)]
    [InlineData("/srv", "/home", false)]
    // /home is of the root's file system, which /srv is mounted over.
    [InlineData("/", "/home", true)]
    [InlineData("/", "/srv/code", true)]
    // The same directory, once by a bind mount.
    [InlineData("/srv/code", "/mnt/bound", true)]
    [InlineData("/srv/code/other", "/mnt/bound", false)]
    [InlineData("/mnt/bound/x", "/srv/code/inner/x/y", true)]
    // A file system mounted below one and shown elsewhere too.
    [InlineData("/srv", "/elsewhere", true)]
    [InlineData("/srv/with space/deep/er", "/elsewhere", true)]
    [InlineData("/srv/with space/other", "/elsewhere", false)]
    public void Overlaps(string a, string b, bool expected)
    {
        ShareTrees first = ShareTrees.Of(a, MountInfo);
        ShareTrees second = ShareTrees.Of(b, MountInfo);
        Assert.Equal(expected, first.Overlaps(second));
        Assert.Equal(expected, second.Overlaps(first));
    }

    [Fact]
    public void Symbolic_links_are_followed()
    {
        DirectoryInfo real = Directory.CreateTempSubdirectory("coherency-trees-");
        string link = real.FullName + "-link";
        Directory.CreateSymbolicLink(link, real.FullName);
        try
        {
            Directory.CreateDirectory(Path.Combine(real.FullName, "inner"));
            Assert.True(ShareTrees.Of(Path.Combine(link, "inner")).Overlaps(ShareTrees.Of(real.FullName)));
            Assert.False(ShareTrees.Of(link).Overlaps(ShareTrees.Of(AppContext.BaseDirectory)));
        }
        finally
        {
            File.Delete(link);
            real.Delete(recursive: true);
        }
    }
}
