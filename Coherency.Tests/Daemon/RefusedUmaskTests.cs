using System.Text;
using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Guest;
using Coherency.Guest.Fuse;
using Xunit;

namespace Coherency.Tests.Daemon;

/// <summary>Container runtimes refuse unshare(2) to what has no CAP_SYS_ADMIN, by which threads get a umask of their own.</summary>
[Trait("Category", "Root")]
public sealed class RefusedUmaskTests : IDisposable
{
    /// <summary>u::rwx, g::rwx, o::r-x for what is made in a directory.</summary>
    private const string SetDefaultAcl = """
        import os, struct, sys
        entries = b"".join(struct.pack("<HHI", tag, permissions, 0xffffffff) for tag, permissions in ((1, 7), (4, 7), (0x20, 5)))
        os.setxattr(sys.argv[1], "system.posix_acl_default", struct.pack("<I", 2) + entries)
        """;

    private readonly DirectoryInfo _work = Directory.CreateTempSubdirectory("coherency-umask-");

    private string Share => Path.Combine(_work.FullName, "share");

    private string Socket => Path.Combine(_work.FullName, "a.sock");

    public void Dispose() => _work.Delete(recursive: true);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Guests_are_served_and_get_the_modes_that_they_ask_for(bool hasCapabilities)
    {
        _work.CreateSubdirectory("share/acl");
        Assert.Equal("", ChildProcess.Run("python3", ["-c", SetDefaultAcl, Path.Combine(Share, "acl")]).Errors);
        string[] without = hasCapabilities ? [] : ["setpriv", "--bounding-set=-all", "--inh-caps=-all"];
        using RunningDaemon daemon = Start(Errno.EPERM, without);
        daemon.WaitUntilReady();
        Assert.Contains("unshare(CLONE_FS) is refused", daemon.Output, StringComparison.Ordinal);
        using (VirtioFsGuest guest = VirtioFsGuest.Connect(Socket))
        {
            NodeId acl = new(guest.Fuse.Lookup(NodeId.Root, "acl"u8).nodeid);
            Make(guest, NodeId.Root, "022", umask: 0x12);
            Make(guest, NodeId.Root, "077", umask: 0x3F);
            Make(guest, acl, "default", umask: 0x3F);
        }

        Assert.Equal(("644", "755"), Modes("022"));
        Assert.Equal(("600", "700"), Modes("077"));
        Assert.Equal(("664", "775"), Modes("acl/default"));
        Assert.Equal(0, daemon.Stop());
    }

    [Fact]
    public void A_daemon_whose_threads_cannot_be_prepared_says_so_and_does_not_start()
    {
        _work.CreateSubdirectory("share");
        using RunningDaemon daemon = Start(Errno.ENOMEM, []);
        Assert.Equal(2, daemon.WaitForExit());
        Assert.Contains("unshare(CLONE_FS): Cannot allocate memory", daemon.Output, StringComparison.Ordinal);
    }

    private RunningDaemon Start(Errno refusal, string[] through) => new(
        "python3",
        [.. RefusedCall.Launch(RefusedCall.Unshare, refusal), .. through, "dotnet", RunningDaemon.Program, "serve",
            "--shared-dir", Share, "--guest", $"a={Socket}"]);

    private static void Make(VirtioFsGuest guest, NodeId directory, string name, uint umask)
    {
        FuseClient fuse = guest.Fuse.As(CallerIdentity.Root with { Umask = umask });
        fuse.Create(directory, Encoding.UTF8.GetBytes(name), OpenFlags.O_RDWR, 0x1B6);
        fuse.MkDir(directory, Encoding.UTF8.GetBytes(name + ".d"), 0x1FF);
    }

    private (string File, string Directory) Modes(string name) => (Mode(name), Mode(name + ".d"));

    private string Mode(string name) => Convert.ToString((int)File.GetUnixFileMode(Path.Combine(Share, name)), 8);
}
