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

    /// <summary>A lock for reading opens nothing for writing, and one for writing only while it is held.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    [Trait("Category", "Root")]
    public void What_is_locked_for_reading_can_be_executed_on_the_host(bool opens)
    {
        using TestShare share = new();
        File.Copy("/bin/true", share.Path("file"));
        TestGuest guest = opens ? share.OpenGuest() : share.OpenGuestWithoutOpens();
        NodeId node = guest.Lookup("file").Node;
        FileTarget file = opens ? guest.Open(node, OpenFlags.O_RDONLY) : new FileTarget(node, default);
        TestGuest.Expect(guest.Files.SetLock(file, 1, Range(LockFlags.F_RDLCK, 0, 9)));
        TestGuest.Expect(guest.Files.SetFlock(file, 2, LockFlags.F_WRLCK));
        Assert.Equal(0, ChildProcess.Run(share.Path("file"), []).ExitCode);
        // To lock for writing as well takes another descriptor; the lock for reading is never free meanwhile, nor after it.
        TestGuest.Expect(guest.Files.SetLock(file, 1, Range(LockFlags.F_WRLCK, 5, 5)));
        TestGuest.Expect(guest.Files.SetLock(file, 1, Range(LockFlags.F_UNLCK, 5, 5)));
        Assert.Equal(Errno.EAGAIN, guest.Files.SetLock(file, 3, Range(LockFlags.F_WRLCK, 0, 4)));
        Assert.Equal(0, ChildProcess.Run(share.Path("file"), []).ExitCode);
    }

    [Fact]
    public void Asking_for_a_lock_names_the_process_of_the_same_guest()
    {
        using TestShare share = new();
        share.WriteFile("file");
        TestGuest a = share.OpenGuest();
        TestGuest b = share.OpenGuest();
        FileHandle inA = a.Open(a.Lookup("file").Node, OpenFlags.O_RDWR);
        FileHandle inB = b.Open(b.Lookup("file").Node, OpenFlags.O_RDWR);
        TestGuest.Expect(a.Files.SetLock(inA, 1, Range(LockFlags.F_WRLCK, 0, 9) with { Pid = 77 }));
        TestGuest.Expect(a.Files.SetLock(inA, 2, Range(LockFlags.F_RDLCK, 20, 29) with { Pid = 88 }));
        Assert.Equal((77u, 88u, 0u), (Ask(a, inA, 3, 0), Ask(a, inA, 3, 25), Ask(a, inA, 3, 40)));
        Assert.Equal(0u, Ask(b, inB, 1, 0));

        static uint Ask(TestGuest guest, FileHandle file, ulong owner, long at)
        {
            FileLock found = Range(LockFlags.F_WRLCK, at, at);
            TestGuest.Expect(guest.Files.GetLock(file, owner, ref found));
            return found.Pid;
        }
    }

    /// <summary>It is open still: somebody may have it by dup(2) or fork(2).</summary>
    [Fact]
    public void A_file_that_was_flushed_can_be_executed_and_goes_on_to_be_written()
    {
        using TestShare share = new();
        File.Copy("/bin/true", share.Path("file"));
        TestGuest guest = share.OpenGuest();
        NodeId node = guest.Lookup("file").Node;
        FileHandle handle = guest.Open(node, OpenFlags.O_RDWR);
        TestGuest.Expect(guest.Files.Flush(handle, 1));
        Assert.Equal(0, ChildProcess.Run(share.Path("file"), []).ExitCode);
        File.Delete(share.Path("file"));
        TestGuest.Expect(guest.TryWrite(handle, "still here", 0));
        TestGuest.Expect(guest.Files.SetFlock(handle, 1, LockFlags.F_WRLCK));
        TestGuest.Expect(guest.Files.Flush(handle, 1));
        // The lock belongs to the descriptor, which therefore stays.
        Assert.Equal("still here", guest.Read(handle, 0, 10));
        FileHandle other = guest.Open(node, OpenFlags.O_RDWR);
        Assert.Equal(Errno.EAGAIN, guest.Files.SetFlock(other, 2, LockFlags.F_RDLCK));
        guest.Release(handle);
        TestGuest.Expect(guest.Files.SetFlock(other, 2, LockFlags.F_RDLCK));
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
        return ChildProcess.Run("python3", ["-c", program]).ExitCode == 0;
    }
}
