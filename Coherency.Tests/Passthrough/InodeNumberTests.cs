using Coherency.Core.Fuse;
using Coherency.Host.Server;
using Xunit;

namespace Coherency.Tests.Passthrough;

/// <summary>Two files that are not the same have different inode numbers in what a client sees as one file system.</summary>
public sealed class InodeNumberTests
{
    [Fact]
    public void Files_of_mounts_that_are_not_announced_are_told_apart()
    {
        using TestShare share = new();
        using TemporaryMount first = new(share.Path("first"), "tmpfs", "tmpfs");
        using TemporaryMount second = new(share.Path("second"), "tmpfs", "tmpfs");
        share.WriteFile("first/file");
        share.WriteFile("second/file");
        TestGuest guest = share.OpenGuest();
        Entry one = guest.Lookup("first/file");
        Assert.NotEqual(one.Attributes.stx_ino, guest.Lookup("second/file").Attributes.stx_ino);
        Assert.NotEqual(guest.Lookup("first").Attributes.stx_ino, guest.Lookup("second").Attributes.stx_ino);
        TestGuest.Expect(guest.Files.GetAttributes(one.Node, null, out var attributes));
        Assert.Equal(one.Attributes.stx_ino, attributes.stx_ino);
        Assert.Equal(one.Attributes.stx_ino, NumberListed(guest, guest.Lookup("first").Node, "file"));

        TestGuest shown = share.OpenGuest();
        shown.Files.ShowMounts();
        Assert.Equal(shown.Lookup("first/file").Attributes.stx_ino, shown.Lookup("second/file").Attributes.stx_ino);
    }

    /// <summary>As with the subvolumes of Btrfs, one mount shows several devices.</summary>
    [Fact]
    public void Files_of_one_mount_on_different_devices_are_told_apart()
    {
        using TestShare layers = new();
        using TemporaryMount lower = new(layers.Path("lower"), "tmpfs", "tmpfs");
        using TemporaryMount upper = new(layers.Path("upper"), "tmpfs", "tmpfs");
        foreach (string folder in new[] { "lower/files", "upper/work", "upper/files" })
        {
            Directory.CreateDirectory(layers.Path(folder));
        }

        // The same number on each.
        File.WriteAllText(layers.Path("lower/files/low"), "low");
        Directory.CreateDirectory(layers.Path("lower/files/second"));
        File.WriteAllText(layers.Path("upper/files/high"), "high");
        Directory.CreateDirectory(layers.Path("merged"));
        string options = $"lowerdir={layers.Path("lower/files")},upperdir={layers.Path("upper/files")},workdir={layers.Path("upper/work")}";
        ChildResult mounted = ChildProcess.Run("mount", ["-t", "overlay", "overlay", "-o", options, layers.Path("merged")]);
        Assert.True(mounted.ExitCode == 0, mounted.Errors);
        try
        {
            using TestShare share = new(o => o with { SharedDirectory = layers.Path("merged") });
            TestGuest guest = share.OpenGuest();
            guest.Files.ShowMounts();
            var low = guest.Lookup("low").Attributes;
            var high = guest.Lookup("high").Attributes;
            Assert.NotEqual((low.stx_dev_major, low.stx_dev_minor), (high.stx_dev_major, high.stx_dev_minor));
            Assert.NotEqual(low.stx_ino, high.stx_ino);
        }
        finally
        {
            ChildProcess.Run("umount", ["-l", layers.Path("merged")]);
        }
    }

    private static ulong NumberListed(TestGuest guest, NodeId directory, string name) =>
        guest.List(directory, plus: false).Single(listed => listed.Name == name).Ino;
}
