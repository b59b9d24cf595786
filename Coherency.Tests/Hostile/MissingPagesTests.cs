using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;
using Coherency.Core.Versioning;
using Coherency.Core.Virtio;
using Coherency.Core.Virtio.Abi;
using Coherency.Guest;
using Coherency.Guest.Coherence;
using Coherency.Guest.Fuse;
using Coherency.Guest.VhostUser;
using Coherency.Guest.Virtio;
using Coherency.Tests.Daemon;
using Coherency.Tests.Vm;
using Xunit;

namespace Coherency.Tests.Hostile;

/// <summary>
/// Memory of a guest that its VMM has taken away again, or that its file system has no room for: to touch it would end the process,
/// and with it all guests' sessions.
/// </summary>
public sealed unsafe class MissingPagesTests : IDisposable
{
    private const int Length = 1 << 20;
    private const int PageBytes = 4096;
    private const int Abort = 6;
    private const string Lost = "faulty: a page of the guest's memory cannot be had";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private static readonly Dictionary<string, Action<AttackedRing, GuestBuffer>> Touches = new()
    {
        ["a request"] = (ring, missing) =>
            Offer(ring, ring.Readable(AttackedRing.Next, 1) with { addr = missing.Address }, ring.Writable()),
        ["an answer"] = (ring, missing) =>
            Offer(ring, ring.Readable(AttackedRing.Next, 1), ring.Writable() with { addr = missing.Address }),
        ["an indirect table"] = (ring, missing) => Offer(ring, RingAttacks.Table(ring, 32) with { addr = missing.Address }),
        ["the ring"] = (ring, _) => ring.Queue.Kick.Signal(),
    };

    private readonly DirectoryInfo _work = Directory.CreateTempSubdirectory("coherency-pages-");
    private bool _isMounted;

    public static TheoryData<string> Touched => [.. Touches.Keys];

    public void Dispose()
    {
        if (_isMounted)
        {
            ChildProcess.Run("umount", ["-l", Small]);
        }

        _work.Delete(recursive: true);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(0x11000)]
    public void A_ring_whose_pages_cannot_be_had_is_refused(int left)
    {
        int fd = CreateMemory();
        try
        {
            GuestMemory memory = new([new MemoryRegion(0, 0, Length, 0, MemoryMapping.MapShared(fd, Length))]);
            LinuxException.Check(Libc.FTruncate(fd, left), "ftruncate");
            VirtqueueSetup setup = new(128, 0x10000, 0x11000, 0x12000, VirtioFeatures.Version1);
            VirtqueueException refused = Assert.Throws<VirtqueueException>(() => new Virtqueue(setup, memory, 0));
            Assert.Contains("EFAULT", refused.Message, StringComparison.Ordinal);

            LinuxException.Check(Libc.FTruncate(fd, Length), "ftruncate");
            new Virtqueue(setup, memory, 0).Close();
            memory.Release();
        }
        finally
        {
            Libc.Close(fd);
        }
    }

    /// <summary>In this process: were it not so, the tests would end here.</summary>
    [Fact]
    public void Who_touches_a_page_that_is_missing_finds_zeros_and_only_the_owner_is_told()
    {
        Assert.Null(MissingPages.Problem);
        int lostFd = CreateMemory();
        int otherFd = CreateMemory();
        int told = 0;
        using MemoryMapping other = MemoryMapping.MapShared(otherFd, Length, () => throw new InvalidOperationException("not lost"));
        using MemoryMapping lost = MemoryMapping.MapShared(lostFd, Length, () => Interlocked.Increment(ref told));
        other.Start[Length - 1] = 1;
        lost.Start[0] = 1;
        LinuxException.Check(Libc.FTruncate(lostFd, 0), "ftruncate");
        Assert.Equal(0, lost.Start[0]);
        lost.Start[Length - 1] = 2;
        Parallel.For(0, 100, i => lost.Start[i * PageBytes] = 3);
        Assert.True(SpinWait.SpinUntil(() => Volatile.Read(ref told) > 0, Patience));
        Assert.Equal((1, 2, 1), (told, lost.Start[Length - 1], other.Start[Length - 1]));
        // The system call, which nobody is told of.
        LinuxException.Check(Libc.FTruncate(otherFd, 0), "ftruncate");
        Assert.Equal(Errno.EFAULT, Libc.Write(lostFd, other.Start, 1).ToErrno());
        Libc.Close(lostFd);
        Libc.Close(otherFd);
    }

    [Fact]
    public void The_handler_is_what_its_source_says()
    {
        string assembled = Path.Combine(_work.FullName, "handler.o");
        string code = Path.Combine(_work.FullName, "handler");
        string source = Path.Combine(Repository.Root, "Coherency.Core/Linux/missing-pages.S");
        Assert.Equal("", ChildProcess.Run("as", ["-o", assembled, source]).Errors);
        Assert.Equal("", ChildProcess.Run("objcopy", ["-O", "binary", "-j", ".text", assembled, code]).Errors);
        Assert.Equal(File.ReadAllBytes(code), MissingPages.Code);
    }

    /// <summary>Where no code may be mapped; and so it was without the handler, which passes on what it does not guard.</summary>
    [Fact]
    [Trait("Category", "Root")]
    public void Without_a_handler_the_daemon_says_so_and_ends_with_the_guest()
    {
        using RunningDaemon daemon = new(
            "python3",
            [.. RefusedCall.Launch(RefusedCall.MemFdCreate, Errno.EPERM), "dotnet", RunningDaemon.Program, .. Arguments()],
            ("DOTNET_EnableWriteXorExecute", "0"));
        daemon.WaitUntilReady();
        Assert.Contains("guests' memory is not guarded", daemon.Output, StringComparison.Ordinal);
        using VhostUserFrontend frontend = Connect();
        AttackedRing ring = new(frontend);
        GuestBuffer missing = frontend.Memory.Allocate(PageBytes, PageBytes);
        FillUp();
        Touches["a request"](ring, missing);
        Assert.Equal(128 + Abort, daemon.WaitForExit());
    }

    [Theory]
    [Trait("Category", "Root")]
    [MemberData(nameof(Touched))]
    public void A_guest_whose_memory_has_no_room_ends_alone(string touched) => EndAlone((daemon, ring, missing) =>
    {
        FillUp();
        if (touched != "the ring")
        {
            Touches[touched](ring, missing);
            Expect(daemon, Lost);
            return;
        }

        // The daemon looks at the ring by itself now and then, and may have its page again before the room is taken.
        Assert.True(SpinWait.SpinUntil(TakeAway, Patience), daemon.Output);

        bool TakeAway()
        {
            PunchAll(ring.Frontend.Memory);
            FillUp();
            ring.Queue.Kick.Signal();
            return SpinWait.SpinUntil(() => daemon.Output.Contains(Lost, StringComparison.Ordinal), TimeSpan.FromSeconds(1));
        }
    });

    [Theory]
    [Trait("Category", "Root")]
    [MemberData(nameof(Touched))]
    public void A_guest_whose_memory_is_cut_short_ends_alone(string touched) => EndAlone((daemon, ring, missing) =>
    {
        long left = touched == "the ring" ? 0 : (long)(missing.Address - GuestRam.BaseAddress);
        LinuxException.Check(Libc.FTruncate(ring.Frontend.Memory.Fd, left), "ftruncate");
        Touches[touched](ring, missing);
        Expect(daemon, Lost);
    });

    [Fact]
    [Trait("Category", "Root")]
    public void Data_that_there_is_no_room_for_costs_the_request_alone()
    {
        using RunningDaemon daemon = Serve();
        FrontendOptions options = new() { QueueSize = 64, MemoryFolder = MountSmall() };
        using VirtioFsGuest guest = VirtioFsGuest.Connect(Socket("faulty"), options);
        NodeId file = new(guest.Fuse.Lookup(NodeId.Root, "file"u8).nodeid);
        FileHandle handle = new(guest.Fuse.Open(file, OpenFlags.O_RDWR).fh);
        FillUp();
        byte[] data = new byte[PageBytes];
        Assert.Equal(Errno.EFAULT, Assert.Throws<FuseException>(() => guest.Fuse.Read(file, handle, 0, data)).Errno);
        Assert.Equal(file.Value, guest.Fuse.Lookup(NodeId.Root, "file"u8).nodeid);
        Assert.DoesNotContain("cannot be had", daemon.Output, StringComparison.Ordinal);
    }

    /// <summary>QEMU 11.1 is given a descriptor by which it can.</summary>
    [Fact]
    public void A_guest_whose_table_is_cut_short_ends_alone()
    {
        using RunningDaemon daemon = Serve();
        using VirtioFsGuest honest = VirtioFsGuest.Connect(Socket("honest"));
        using VirtioFsGuest faulty = VirtioFsGuest.Connect(Socket("faulty"));
        using (VersionTableReader table = VersionTableReader.Open(Socket("faulty") + ".table"))
        {
            AttachHandshake.Perform(faulty.Fuse, table);
        }

        Assert.Equal(0, ChildProcess.Run("truncate", ["-s", "0", Socket("faulty") + ".table"]).ExitCode);
        honest.Files.WriteAllBytes("/file", "other"u8);
        Expect(daemon, "faulty: its version table was made shorter");
        Expect(daemon, "faulty: VMM disconnected");
        Assert.Equal("other"u8, honest.Files.ReadAllBytes("/file"));
        Assert.Equal(0, daemon.Stop());
    }

    private string Small => Path.Combine(_work.FullName, "small");

    private static void Expect(RunningDaemon daemon, string line) =>
        Assert.True(SpinWait.SpinUntil(() => daemon.Output.Contains(line, StringComparison.Ordinal), Patience), daemon.Output);

    private static int CreateMemory()
    {
        int fd = LinuxException.Check(Libc.MemFdCreate("guest", 0), "memfd_create");
        LinuxException.Check(Libc.FTruncate(fd, Length), "ftruncate");
        return fd;
    }

    private static void Offer(AttackedRing ring, params vring_desc[] chain)
    {
        for (int i = 0; i < chain.Length; i++)
        {
            ring.Put(i, chain[i]);
        }

        ring.Offer(0);
    }

    private void EndAlone(Action<RunningDaemon, AttackedRing, GuestBuffer> takeAwayAndTouch)
    {
        using RunningDaemon daemon = Serve();
        using VirtioFsGuest honest = VirtioFsGuest.Connect(Socket("honest"));
        using (VhostUserFrontend frontend = Connect())
        {
            AttackedRing ring = new(frontend);
            // What lies before the missing page is there.
            ring.Reply.Span.Clear();
            takeAwayAndTouch(daemon, ring, frontend.Memory.Allocate(PageBytes, PageBytes));
            Expect(daemon, "faulty: VMM disconnected");
        }

        Assert.Equal("content"u8, honest.Files.ReadAllBytes("/file"));
        using (VirtioFsGuest again = VirtioFsGuest.Connect(Socket("faulty")))
        {
            Assert.Equal("content"u8, again.Files.ReadAllBytes("/file"));
        }

        honest.Dispose();
        Assert.Equal(0, daemon.Stop());
    }

    private VhostUserFrontend Connect()
    {
        FrontendOptions options = new() { QueueSize = 64, MemoryBytes = 64 << 20, MemoryFolder = MountSmall() };
        VhostUserFrontend frontend = VhostUserFrontend.Connect(Socket("faulty"), options);
        frontend.Start();
        return frontend;
    }

    /// <summary>As a guest's balloon has it done.</summary>
    private static void PunchAll(GuestRam memory)
    {
        const int KeepSizeAndPunchHole = 3;
        LinuxException.Check(Libc.Fallocate(memory.Fd, KeepSizeAndPunchHole, 0, memory.Bytes), "fallocate");
    }

    /// <summary>What else is on the file system takes all that is left.</summary>
    private void FillUp()
    {
        using FileStream rest = new(Path.Combine(Small, "rest"), FileMode.Append);
        int result = 0;
        for (long end = rest.Length; result == 0; end += PageBytes)
        {
            result = Libc.Fallocate((int)rest.SafeFileHandle.DangerousGetHandle(), 0, end, PageBytes);
        }

        Assert.Equal(Errno.ENOSPC, result.ToErrno());
    }

    private string MountSmall()
    {
        Directory.CreateDirectory(Small);
        ChildResult mounted = ChildProcess.Run("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", Small]);
        Assert.True(mounted.ExitCode == 0, mounted.Errors);
        _isMounted = true;
        return Small;
    }

    private RunningDaemon Serve() => RunningDaemon.Start(Arguments());

    private string[] Arguments()
    {
        string share = _work.CreateSubdirectory("share").FullName;
        File.WriteAllText(Path.Combine(share, "file"), "content");
        return
        [
            "serve", "--no-admin", "--shared-dir", share, "--num-request-queues", "1", "--guest", $"honest={Socket("honest")}", "--guest",
            $"faulty={Socket("faulty")}",
        ];
    }

    private string Socket(string guest) => Path.Combine(_work.FullName, guest + ".sock");
}
