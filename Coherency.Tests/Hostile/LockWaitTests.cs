using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Guest.Fuse;
using Coherency.Guest.VhostUser;
using Xunit;

namespace Coherency.Tests.Hostile;

/// <summary>Whoever waits for a lock has a place of the guest's queue, and whoever holds it needs one to give it up.</summary>
public sealed class LockWaitTests
{
    private const int QueueSize = 16;

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    [Fact]
    public async Task More_waits_than_the_queue_has_places_leave_room_for_what_ends_them()
    {
        using LockedFile locked = new(new FrontendOptions { QueueSize = QueueSize });

        // One more than may wait: all the others do when it is refused.
        List<Task<Errno>> waits = [.. Enumerable.Range(1, (QueueSize / 2) + 1).Select(owner => Start((ulong)owner))];
        Task<Errno> refused = await Task.WhenAny(waits).WaitAsync(Patience);
        Assert.Equal(Errno.ENOLCK, await refused);
        waits.Remove(refused);
        locked.Guest.Fuse.Lookup(NodeId.Root, "file"u8);
        Assert.All(waits, wait => Assert.False(wait.IsCompleted));

        locked.Unlock();
        Assert.All(await Task.WhenAll(waits).WaitAsync(Patience), errno => Assert.Equal(Errno.None, errno));

        Task<Errno> Start(ulong owner) => Task.Factory.StartNew(
            () => TakeAndDrop(locked, owner), CancellationToken.None, TaskCreationOptions.LongRunning,
            TaskScheduler.Default);
    }

    private static Errno TakeAndDrop(LockedFile locked, ulong owner)
    {
        try
        {
            FuseClient fuse = locked.Guest.Fuse;
            fuse.SetLkw(locked.Node, locked.Handle, owner, LockedFile.Whole(LockFlags.F_WRLCK));
            fuse.SetLk(locked.Node, locked.Handle, owner, LockedFile.Whole(LockFlags.F_UNLCK));
            return Errno.None;
        }
        catch (FuseException failed)
        {
            return failed.Errno;
        }
    }
}
