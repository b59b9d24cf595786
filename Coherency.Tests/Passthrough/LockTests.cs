using System.Diagnostics;
using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Host.Passthrough;
using Coherency.Host.Server;
using Xunit;

namespace Coherency.Tests.Passthrough;

/// <summary>Locks exclude lock owners, sessions and processes of the host from each other.</summary>
public sealed class LockTests
{
    private static readonly FileLock Write = new() { Type = LockFlags.F_WRLCK, End = long.MaxValue };
    private static readonly FileLock Unlock = new() { Type = LockFlags.F_UNLCK, End = long.MaxValue };

    [Fact]
    public void Record_locks_exclude_owners_and_sessions()
    {
        using TestShare share = new();
        share.WriteFile("file");
        TestGuest a = share.OpenGuest();
        TestGuest b = share.OpenGuest();
        FileHandle inA = a.Open(a.Lookup("file").Node, OpenFlags.O_RDWR);
        FileHandle inB = b.Open(b.Lookup("file").Node, OpenFlags.O_RDWR);
        TestGuest.Expect(a.Files.SetLock(inA, 1, Range(LockFlags.F_WRLCK, 0, 9)));
        TestGuest.Expect(a.Files.SetLock(inA, 1, Range(LockFlags.F_WRLCK, 5, 9)));
        Assert.Equal(Errno.EAGAIN, a.Files.SetLock(inA, 2, Range(LockFlags.F_RDLCK, 9, 9)));
        Assert.Equal(Errno.EAGAIN, b.Files.SetLock(inB, 1, Write));
        TestGuest.Expect(b.Files.SetLock(inB, 1, Range(LockFlags.F_WRLCK, 10, 10)));

        FileLock found = Range(LockFlags.F_RDLCK, 0, 100);
        TestGuest.Expect(b.Files.GetLock(inB, 1, ref found));
        Assert.Equal((LockFlags.F_WRLCK, 0L, 9L), (found.Type, found.Start, found.End));
        found = Range(LockFlags.F_RDLCK, 0, 9);
        TestGuest.Expect(a.Files.GetLock(inA, 1, ref found));
        Assert.Equal(LockFlags.F_UNLCK, found.Type);

        TestGuest.Expect(a.Files.SetLock(inA, 3, Unlock));
        TestGuest.Expect(a.Files.SetLock(inA, 1, Unlock));
        TestGuest.Expect(b.Files.SetLock(inB, 2, Range(LockFlags.F_WRLCK, 0, 9)));
        Assert.Equal(Errno.EINVAL, a.Files.SetLock(inA, 1, Range(LockFlags.F_WRLCK, 5, 4)));
        Assert.Equal(Errno.EINVAL, a.Files.SetLock(inA, 1, Range(17, 0, 4)));
        Assert.Equal(Errno.EINVAL, a.Files.SetLock(inA, 1, Range(LockFlags.F_WRLCK, -1, 4)));
    }

    [Fact]
    public void A_close_by_the_owner_and_the_end_of_the_session_drop_record_locks()
    {
        using TestShare share = new();
        share.WriteFile("file");
        TestGuest a = share.OpenGuest();
        FileHandle inA = a.Open(a.Lookup("file").Node, OpenFlags.O_RDWR);
        TestGuest b = new(share.Share.OpenSession());
        FileHandle inB = b.Open(b.Lookup("file").Node, OpenFlags.O_RDWR);

        TestGuest.Expect(b.Files.SetLock(inB, 7, Write));
        TestGuest.Expect(b.Files.Flush(inB, 8));
        Assert.Equal(Errno.EAGAIN, a.Files.SetLock(inA, 1, Write));
        TestGuest.Expect(b.Files.Flush(inB, 7));
        TestGuest.Expect(a.Files.SetLock(inA, 1, Write));
        TestGuest.Expect(a.Files.SetLock(inA, 1, Unlock));

        TestGuest.Expect(b.Files.SetLock(inB, 7, Write));
        b.Dispose();
        TestGuest.Expect(a.Files.SetLock(inA, 1, Write));
    }

    /// <summary>As for the guest's own open-file-description locks, which no flush ends.</summary>
    [Fact]
    public void The_close_of_the_open_file_that_took_a_record_lock_drops_it()
    {
        using TestShare share = new();
        share.WriteFile("file");
        TestGuest a = share.OpenGuest();
        TestGuest b = share.OpenGuest();
        FileHandle inA = a.Open(a.Lookup("file").Node, OpenFlags.O_RDWR);
        FileHandle inB = b.Open(b.Lookup("file").Node, OpenFlags.O_RDWR);
        FileHandle otherInB = b.Open(b.Lookup("file").Node, OpenFlags.O_RDWR);

        TestGuest.Expect(b.Files.SetLock(inB, 7, Write));
        b.Release(otherInB);
        Assert.Equal(Errno.EAGAIN, a.Files.SetLock(inA, 1, Write));
        b.Release(inB);
        TestGuest.Expect(a.Files.SetLock(inA, 1, Write));
    }

    [Fact]
    public void Flock_excludes_open_files_and_goes_with_them()
    {
        using TestShare share = new();
        share.WriteFile("file");
        TestGuest a = share.OpenGuest();
        TestGuest b = share.OpenGuest();
        FileHandle inA = a.Open(a.Lookup("file").Node, OpenFlags.O_RDONLY);
        FileHandle inB = b.Open(b.Lookup("file").Node, OpenFlags.O_RDONLY);
        TestGuest.Expect(a.Files.SetFlock(inA, 1, LockFlags.F_RDLCK));
        TestGuest.Expect(b.Files.SetFlock(inB, 1, LockFlags.F_RDLCK));
        Assert.Equal(Errno.EAGAIN, b.Files.SetFlock(inB, 1, LockFlags.F_WRLCK));
        a.Release(inA);
        TestGuest.Expect(b.Files.SetFlock(inB, 1, LockFlags.F_WRLCK));
        Assert.Equal(Errno.EINVAL, b.Files.SetFlock(inB, 1, 9));
    }

    [Fact]
    public void Locks_exclude_processes_of_the_host()
    {
        using TestShare share = new();
        share.WriteFile("file");
        TestGuest guest = share.OpenGuest();
        FileHandle handle = guest.Open(guest.Lookup("file").Node, OpenFlags.O_RDWR);
        Assert.True(HostLocks(share, "fcntl"));
        TestGuest.Expect(guest.Files.SetLock(handle, 1, Write));
        Assert.False(HostLocks(share, "fcntl"));
        Assert.True(HostLocks(share, "flock"));
        TestGuest.Expect(guest.Files.SetFlock(handle, 1, LockFlags.F_WRLCK));
        Assert.False(HostLocks(share, "flock"));
    }

    private static FileLock Range(short type, long start, long end) => new() { Type = type, Start = start, End = end };

    private static bool HostLocks(TestShare share, string kind)
    {
        string call = kind == "flock" ? "fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)" : "fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB)";
        string program = $"import fcntl,sys\nf=open('{share.Path("file")}','r+')\ntry: {call}\nexcept OSError: sys.exit(1)";
        using Process process = Process.Start("python3", ["-c", program]);
        process.WaitForExit();
        return process.ExitCode == 0;
    }
}
