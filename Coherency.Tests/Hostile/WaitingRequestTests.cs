using System.Diagnostics;
using System.Globalization;
using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;
using Coherency.Guest;
using Coherency.Guest.Fuse;
using Coherency.Guest.VhostUser;
using Coherency.Tests.Daemon;
using Xunit.Abstractions;

namespace Coherency.Tests.Hostile;

/// <summary>
/// A guest that lets as many requests wait as its rings can hold costs the daemon little memory and the others no processor.
/// </summary>
public sealed class WaitingRequestTests : IDisposable
{
    private const int Queues = 20;
    private const int Waits = 10_000;
    private const int WaitsPerQueue = Waits / Queues;

    /// <summary>More than the 30 seconds after which the client gives up, and fails.</summary>
    private static readonly WaitPolicy Patience = new(SpinMicroseconds: 0, TimeoutMs: 60_000);

    private static readonly fuse_file_lock ForWriting = new() { type = (uint)LockFlags.F_WRLCK, end = long.MaxValue };

    private readonly ITestOutputHelper _output;
    private readonly DirectoryInfo _work = Directory.CreateTempSubdirectory("coherency-waits-");
    private readonly RunningDaemon _daemon;

    public WaitingRequestTests(ITestOutputHelper output)
    {
        _output = output;
        string share = _work.CreateSubdirectory("share").FullName;
        File.WriteAllText(Path.Combine(share, "file"), "text");
        string longNames = Directory.CreateDirectory(Path.Combine(share, "directory")).FullName;
        for (int i = 0; i < 2000; i++)
        {
            File.WriteAllText(Path.Combine(longNames, $"{i}{new string('n', 200)}"), "");
        }

        // What is alive is to be measured: as little as possible of what is not collected yet.
        _daemon = new RunningDaemon(
            "dotnet",
            [RunningDaemon.Program, "serve", "--shared-dir", share, "--num-request-queues", $"{Queues}", "--guest",
                $"greedy={Socket("greedy")}", "--guest", $"honest={Socket("honest")}"],
            ("DOTNET_GCgen0size", "100000"));
        _daemon.WaitUntilReady();
    }

    public void Dispose()
    {
        _daemon.Dispose();
        _work.Delete(recursive: true);
    }

    [Fact]
    public void Ten_thousand_waiting_locks_cost_little()
    {
        using VirtioFsGuest greedy = Connect("greedy");
        using VirtioFsGuest honest = Connect("honest");
        (NodeId node, FileHandle handle) = Open(greedy);
        greedy.Fuse.SetLk(node, handle, 1, ForWriting);
        UseOften(honest);
        foreach (RequestQueue queue in greedy.Connection.RequestQueues)
        {
            List(greedy, queue);
        }

        long before = ReadAnonymousMemory();
        List<RequestSlot>[] waiting = [.. greedy.Connection.RequestQueues.Select(queue => Park(greedy, queue, node, handle))];
        UseOften(honest);
        long memory = ReadAnonymousMemory() - before;

        TimeSpan used = ReadProcessorTime();
        Stopwatch idle = Stopwatch.StartNew();
        Thread.Sleep(TimeSpan.FromSeconds(3));
        double processors = (ReadProcessorTime() - used) / idle.Elapsed;
        _output.WriteLine($"{Waits} waiting locks: {memory / 1024.0 / 1024:F1} MiB, {processors:P1} of a processor while nothing happens");
        Assert.InRange(processors, 0, 0.5);
        // With what the collector has not collected; a request that kept what it was carried out with would take 432 KiB.
        Assert.InRange(memory, 0, Waits * 6L * 1024);

        greedy.Fuse.SetLk(node, handle, 1, ForWriting with { type = (uint)LockFlags.F_UNLCK });
        int granted = 0;
        for (int i = 0; i < Queues; i++)
        {
            granted += waiting[i].Count(slot => IsGranted(greedy.Connection.RequestQueues[i], slot));
        }

        Assert.Equal(Waits, granted);
    }

    /// <summary>Has each request object build a large reply before it waits.</summary>
    private static List<RequestSlot> Park(VirtioFsGuest guest, RequestQueue queue, NodeId node, FileHandle handle)
    {
        List<RequestSlot> waiting = [];
        for (int i = 0; i < WaitsPerQueue; i++)
        {
            RequestSlot wait = queue.Acquire();
            wait.Begin(FuseOpcode.SetLkw, node, CallerIdentity.Root);
            wait.Argument(
                new fuse_lk_in
                {
                    fh = handle.Value,
                    owner = 2,
                    lk = new fuse_file_lock { type = (uint)LockFlags.F_RDLCK, end = long.MaxValue },
                });
            wait.ExpectReply();
            queue.Submit(wait);
            List(guest, queue);
            waiting.Add(wait);
        }

        return waiting;
    }

    private static void List(VirtioFsGuest guest, RequestQueue queue)
    {
        NodeId directory = new(guest.Fuse.Lookup(NodeId.Root, "directory"u8).nodeid);
        FileHandle listing = new(guest.Fuse.OpenDir(directory).fh);
        RequestSlot list = queue.Acquire();
        list.Begin(FuseOpcode.ReadDirPlus, directory, CallerIdentity.Root);
        list.Argument(new fuse_read_in { fh = listing.Value, size = (uint)list.DataBytesMax });
        list.ExpectReply();
        list.ExpectData(list.DataBytesMax);
        queue.Submit(list);
        queue.Wait(list, Patience);
        Assert.Equal(Errno.None, list.ReadError());
        queue.Release(list);
        guest.Fuse.ReleaseDir(directory, listing);
    }

    private static bool IsGranted(RequestQueue queue, RequestSlot slot)
    {
        queue.Wait(slot, Patience);
        bool isGranted = slot.ReadError() == Errno.None;
        queue.Release(slot);
        return isGranted;
    }

    private static void UseOften(VirtioFsGuest guest)
    {
        for (int i = 0; i < 1000; i++)
        {
            (NodeId node, FileHandle handle) = Open(guest);
            fuse_file_lock part = ForWriting with { start = 10, end = 20 };
            Assert.Equal(Errno.EAGAIN, Assert.Throws<FuseException>(() => guest.Fuse.SetLk(node, handle, 1, part)).Errno);
            guest.Fuse.Release(node, handle);
        }
    }

    private static (NodeId Node, FileHandle Handle) Open(VirtioFsGuest guest)
    {
        NodeId node = new(guest.Fuse.Lookup(NodeId.Root, "file"u8).nodeid);
        return (node, new FileHandle(guest.Fuse.Open(node, OpenFlags.O_RDWR).fh));
    }

    private VirtioFsGuest Connect(string name) => VirtioFsGuest.Connect(
        Socket(name), new FrontendOptions { RequestQueues = Queues }, new FuseConnectionOptions
        {
            SlotsPerQueue = WaitsPerQueue + 8,
            DataBytesMax = 1 << 16,
        });

    private string Socket(string name) => Path.Combine(_work.FullName, $"{name}.sock");

    private long ReadAnonymousMemory()
    {
        string line = File.ReadLines($"/proc/{_daemon.Id}/status").First(line => line.StartsWith("RssAnon:", StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2], CultureInfo.InvariantCulture) * 1024;
    }

    private TimeSpan ReadProcessorTime()
    {
        using Process daemon = Process.GetProcessById(_daemon.Id);
        return daemon.TotalProcessorTime;
    }
}
