using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Host.Server;
using Xunit;

namespace Coherency.Tests.Passthrough;

/// <summary>Locks of guests that do without opens: an owner and a node are all there is to know them by.</summary>
[Trait("Category", "Root")]
public sealed class ByNodeLockTests : IDisposable
{
    private static readonly FileLock Exclusive = new() { Type = LockFlags.F_WRLCK, End = long.MaxValue };
    private static readonly FileLock Shared = new() { Type = LockFlags.F_RDLCK, End = long.MaxValue };
    private static readonly FileLock Unlocked = new() { Type = LockFlags.F_UNLCK, End = long.MaxValue };

    private readonly TestShare _share = new();
    private readonly TestGuest _a;
    private readonly TestGuest _b;
    private readonly FileTarget _inA;
    private readonly FileTarget _inB;

    public ByNodeLockTests()
    {
        _share.WriteFile("file");
        _a = _share.OpenGuestWithoutOpens();
        _b = _share.OpenGuestWithoutOpens();
        _inA = new FileTarget(_a.Lookup("file").Node, default);
        _inB = new FileTarget(_b.Lookup("file").Node, default);
    }

    public void Dispose() => _share.Dispose();

    [Fact]
    public void Record_locks_exclude_owners_and_guests_and_go_with_a_flush()
    {
        TestGuest.Expect(_a.Files.SetLock(_inA, 1, Exclusive));
        Assert.Equal(Errno.EAGAIN, _a.Files.SetLock(_inA, 2, Exclusive));
        Assert.Equal(Errno.EAGAIN, _b.Files.SetLock(_inB, 1, Shared));
        FileLock found = Exclusive;
        TestGuest.Expect(_b.Files.GetLock(_inB, 1, ref found));
        Assert.Equal(LockFlags.F_WRLCK, found.Type);
        TestGuest.Expect(_a.Files.Flush(_inA, 2));
        Assert.Equal(Errno.EAGAIN, _b.Files.SetLock(_inB, 1, Shared));
        TestGuest.Expect(_a.Files.Flush(_inA, 1));
        TestGuest.Expect(_b.Files.SetLock(_inB, 1, Exclusive));
    }

    [Fact]
    public void Parts_of_a_file_are_locked_one_by_one()
    {
        TestGuest.Expect(_a.Files.SetLock(_inA, 1, new FileLock { Type = LockFlags.F_WRLCK, Start = 0, End = 9 }));
        TestGuest.Expect(_b.Files.SetLock(_inB, 1, new FileLock { Type = LockFlags.F_WRLCK, Start = 10, End = 19 }));
        Assert.Equal(Errno.EAGAIN, _b.Files.SetLock(_inB, 1, new FileLock { Type = LockFlags.F_WRLCK, Start = 5, End = 5 }));
        TestGuest.Expect(_a.Files.SetLock(_inA, 1, new FileLock { Type = LockFlags.F_UNLCK, Start = 5, End = 5 }));
        TestGuest.Expect(_b.Files.SetLock(_inB, 1, new FileLock { Type = LockFlags.F_WRLCK, Start = 5, End = 5 }));
    }

    [Fact]
    public void Flock_excludes_owners_and_guests_and_is_unlocked_by_its_owner_alone()
    {
        TestGuest.Expect(_a.Files.SetFlock(_inA, 1, LockFlags.F_RDLCK));
        TestGuest.Expect(_a.Files.SetFlock(_inA, 2, LockFlags.F_RDLCK));
        TestGuest.Expect(_b.Files.SetFlock(_inB, 1, LockFlags.F_RDLCK));
        Assert.Equal(Errno.EAGAIN, _b.Files.SetFlock(_inB, 2, LockFlags.F_WRLCK));
        TestGuest.Expect(_b.Files.SetFlock(_inB, 1, LockFlags.F_UNLCK));
        TestGuest.Expect(_a.Files.SetFlock(_inA, 1, LockFlags.F_UNLCK));
        // Neither a flush nor a record lock has to do with it.
        TestGuest.Expect(_a.Files.Flush(_inA, 2));
        TestGuest.Expect(_b.Files.SetLock(_inB, 2, Exclusive));
        Assert.Equal(Errno.EAGAIN, _b.Files.SetFlock(_inB, 2, LockFlags.F_WRLCK));
        TestGuest.Expect(_a.Files.Release(_inA, FuseReleaseFlags.FlockUnlock, 2));
        TestGuest.Expect(_b.Files.SetFlock(_inB, 2, LockFlags.F_WRLCK));
        Assert.Equal(Errno.EINVAL, _b.Files.SetFlock(_inB, 2, 9));
    }

    [Fact]
    public void A_guest_that_opens_files_and_one_that_does_not_exclude_each_other()
    {
        TestGuest opening = _share.OpenGuest();
        FileHandle handle = opening.Open(opening.Lookup("file").Node, OpenFlags.O_RDWR);
        TestGuest.Expect(opening.Files.SetFlock(handle, 1, LockFlags.F_WRLCK));
        TestGuest.Expect(opening.Files.SetLock(handle, 1, Exclusive));
        Assert.Equal(Errno.EAGAIN, _a.Files.SetFlock(_inA, 1, LockFlags.F_RDLCK));
        Assert.Equal(Errno.EAGAIN, _a.Files.SetLock(_inA, 1, Shared));
        opening.Files.Flush(handle, 1);
        opening.Release(handle);
        TestGuest.Expect(_a.Files.SetFlock(_inA, 1, LockFlags.F_WRLCK));
        TestGuest.Expect(_a.Files.SetLock(_inA, 1, Exclusive));
    }

    [Fact]
    public void Locks_that_are_not_held_cost_nothing()
    {
        TestGuest.Expect(_a.Files.SetLock(_inA, 1, Exclusive));
        TestGuest.Expect(_a.Files.SetFlock(_inA, 1, LockFlags.F_WRLCK));
        TestGuest.Expect(_b.Files.Sync(_inB, false));
        int before = _share.DescriptorsOf("file");
        for (ulong owner = 1; owner < 50; owner++)
        {
            Assert.Equal(Errno.EAGAIN, _b.Files.SetLock(_inB, owner, Exclusive));
            Assert.Equal(Errno.EAGAIN, _b.Files.SetFlock(_inB, owner, LockFlags.F_WRLCK));
            TestGuest.Expect(_b.Files.SetLock(_inB, owner, Unlocked));
            TestGuest.Expect(_b.Files.SetFlock(_inB, owner, LockFlags.F_UNLCK));
        }

        // Fewer when the one for reading was not used for a second.
        Assert.InRange(_share.DescriptorsOf("file"), 2, before);
    }

    [Fact]
    public void Locks_go_with_the_last_reference_and_with_the_session()
    {
        TestGuest.Expect(_a.Files.SetLock(_inA, 1, Exclusive));
        TestGuest.Expect(_a.Files.SetFlock(_inA, 1, LockFlags.F_WRLCK));
        _a.Files.Forget(_inA.Node, 1);
        TestGuest.Expect(_b.Files.SetLock(_inB, 1, Exclusive));
        TestGuest.Expect(_b.Files.SetFlock(_inB, 1, LockFlags.F_WRLCK));
        _b.Dispose();
        FileTarget again = new(_a.Lookup("file").Node, default);
        TestGuest.Expect(_a.Files.SetLock(again, 1, Exclusive));
        TestGuest.Expect(_a.Files.SetFlock(again, 1, LockFlags.F_WRLCK));
    }
}
