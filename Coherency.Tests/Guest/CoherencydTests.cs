using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Guest;
using Coherency.Guest.Files;
using Coherency.Guest.Fuse;
using Coherency.Guest.VhostUser;
using Coherency.Tests.Daemon;

namespace Coherency.Tests.Guest;

/// <summary>What the build leaves.</summary>
public sealed class CoherencydTests() : CoherencydScenarios(DaemonProgram.Built);

/// <summary>The same guest drives our own daemon as its users start it, and what no peer does.</summary>
public abstract class CoherencydScenarios(DaemonProgram program) : GuestScenarios
{
    protected override IDisposable StartDaemon(string socketPath) => DaemonProcess.Start(
        $"{string.Join(' ', program.Command)} serve --shared-dir {{dir}} --guest test={{socket}} --cache auto", socketPath, Share);

    [Fact]
    public void A_lock_in_one_guest_excludes_the_other() => CheckThatALockExcludesTheOtherGuest();

    [Fact]
    public void A_guest_that_was_killed_says_no_goodbye()
    {
        VirtioFsGuest guest = ConnectGuest();
        guest.Kill();
        guest.Dispose();
        using VirtioFsGuest again = ConnectGuest();
        Assert.Empty(again.Files.List("/"));
    }

    /// <summary>The number of a socket that was closed is soon another one's.</summary>
    [Fact]
    public void Who_was_disposed_of_has_no_descriptor_that_could_be_another_ones()
    {
        using VirtioFsGuest guest = ConnectGuest();
        guest.Dispose();
        Assert.Equal(-1, guest.Frontend.SocketFd);
        guest.Frontend.Connection.Shutdown();
        Assert.ThrowsAny<IOException>(guest.Frontend.Stop);
    }

    /// <summary>It is in the same process as what asks: memory that went under a request would take the process with it.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Who_asks_while_the_guest_is_disposed_of_gets_an_error(bool isKilled)
    {
        for (int round = 0; round < 5; round++)
        {
            VirtioFsGuest guest = ConnectGuest(new FrontendOptions { RequestQueues = 1 });
            using Barrier asked = new(4);
            Task<Exception>[] askers = [.. Enumerable.Range(0, 3).Select(_ => Task.Factory.StartNew(
                () => Record.Exception(() => AskForEver(guest, asked)), TaskCreationOptions.LongRunning))];
            asked.SignalAndWait();
            if (isKilled)
            {
                guest.Kill();
            }
            else
            {
                guest.Dispose();
            }

            foreach (Exception ended in await Task.WhenAll(askers).WaitAsync(TimeSpan.FromMinutes(1)))
            {
                Assert.True(ended is DeviceGoneException or ObjectDisposedException or FuseException, $"{ended}");
            }
        }

        static void AskForEver(VirtioFsGuest guest, Barrier asked)
        {
            guest.Fuse.GetAttr(NodeId.Root);
            asked.SignalAndWait();
            while (true)
            {
                guest.Fuse.GetAttr(NodeId.Root);
            }
        }
    }

    [Fact]
    public async Task A_waiting_lock_holds_up_nobody_and_comes_in_the_end()
    {
        using VirtioFsGuest guest = ConnectGuest(new FrontendOptions { RequestQueues = 1 });
        using GuestFile holder = guest.Files.CreateFile("/file");
        using GuestFile waiter = guest.Files.Open("/file");
        holder.Lock();
        Task waiting = Task.Run(() => waiter.Lock());
        for (int i = 0; i < 1_000; i++)
        {
            guest.Fuse.GetAttr(NodeId.Root);
        }

        Assert.False(waiting.IsCompleted);
        holder.Unlock();
        await waiting.WaitAsync(TimeSpan.FromSeconds(10));
        Assert.False(holder.TryLock());
    }

    [Fact]
    public void Several_request_queues_serve_at_once()
    {
        using VirtioFsGuest guest = ConnectGuest();
        Assert.True(guest.Connection.RequestQueues.Count > 1);
        foreach (RequestQueue queue in guest.Connection.RequestQueues)
        {
            RequestSlot slot = queue.Acquire();
            slot.Begin(FuseOpcode.StatFs, NodeId.Root, CallerIdentity.Root);
            slot.ExpectReply<Core.Fuse.Abi.fuse_statfs_out>();
            queue.Submit(slot);
            queue.Wait(slot);
            Assert.Equal(Errno.None, slot.ReadError());
            queue.Release(slot);
        }
    }

    [Fact]
    public void A_reboot_drops_locks_and_handles_and_the_guest_goes_on()
    {
        using VirtioFsGuest guest = ConnectGuest();
        GuestFile before = guest.Files.CreateFile("/file");
        before.Lock();
        guest.Reboot();
        Assert.Equal(Errno.EBADF, ErrorOf(() => guest.Fuse.Read(NodeId.Root, before.Handle, 0, new byte[1])));
        using GuestFile after = guest.Files.Open("/file");
        Assert.True(after.TryLock());
    }
}
