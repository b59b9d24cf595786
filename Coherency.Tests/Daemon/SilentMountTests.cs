using System.Text;
using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Daemon.Configuration;
using Coherency.Daemon.Hosting;
using Coherency.Guest;
using Coherency.Guest.Fuse;
using Coherency.Tests.Hostile;
using Coherency.Tests.Passthrough;
using Coherency.Tests.Vm;

namespace Coherency.Tests.Daemon;

/// <summary>
/// A file system that is mounted below the share does not answer any more: another daemon's, which was stopped. That holds up who asks
/// for it, and nobody else; and when it goes on, everybody has an answer.
/// </summary>
[Trait("Category", "Root")]
public sealed class SilentMountTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private readonly DirectoryInfo _work = Directory.CreateTempSubdirectory("coherency-silent-");
    private readonly string _share;
    private readonly string _mount;
    private readonly RunningDaemon _silent;

    public SilentMountTests()
    {
        _share = _work.CreateSubdirectory("share").FullName;
        _mount = _work.CreateSubdirectory("mount").FullName;
        string elsewhere = _work.CreateSubdirectory("elsewhere").FullName;
        File.WriteAllText(Path.Combine(_share, "file"), "text");
        File.WriteAllText(Path.Combine(elsewhere, "known"), "from elsewhere");
        string silent = Directory.CreateDirectory(Path.Combine(_share, "silent")).FullName;
        _silent = RunningDaemon.Start("mount", "--shared-dir", elsewhere, silent);
    }

    public void Dispose()
    {
        _silent.Stop();
        _silent.Dispose();
        _work.Delete(recursive: true);
    }

    [Fact]
    public async Task It_holds_up_those_requests_of_a_guest_that_ask_for_it()
    {
        const int Held = 12;
        string socket = Path.Combine(_work.FullName, "a.sock");
        using GuestServer server = Serve(new ShareConfiguration
        {
            SharedDir = _share,
            NumRequestQueues = 1,
            Guests = [new GuestConfiguration { Name = "a", Socket = socket }],
        });
        using VirtioFsGuest guest = VirtioFsGuest.Connect(socket);
        NodeId silent = new(guest.Fuse.Lookup(NodeId.Root, "silent"u8).nodeid);
        using Stopped stopped = new(_silent);
        Task<Errno>[] held = [.. Enumerable.Range(0, Held).Select(i => Start(() => Look(guest, silent, $"name{i}")))];
        Task others = Start(() =>
        {
            for (int i = 0; i < 100; i++)
            {
                // Memory is changed while requests lie in what was there before.
                guest.Frontend.SetMemoryTable();
                NodeId file = new(guest.Fuse.Lookup(NodeId.Root, "file"u8).nodeid);
                Assert.Equal("text"u8, Read(guest, file));
            }

            return 0;
        });
        await others.WaitAsync(Patience);
        Assert.All(held, task => Assert.False(task.IsCompleted));

        stopped.Dispose();
        Assert.All(await Task.WhenAll(held).WaitAsync(Patience), errno => Assert.Equal(Errno.ENOENT, errno));
        Assert.Equal("from elsewhere"u8, Read(guest, new NodeId(guest.Fuse.Lookup(silent, "known"u8).nodeid)));
    }

    [Fact]
    public async Task It_holds_up_those_programs_that_ask_for_it_through_a_mount()
    {
        const int Held = 12;
        using GuestServer server = Serve(new ShareConfiguration { SharedDir = _share, Mounts = [_mount] });
        await HostShell.ExpectAsync($"stat {_mount}/silent/known");
        using Stopped stopped = new(_silent);
        Task<string>[] held =
            [.. Enumerable.Range(0, Held).Select(i => HostShell.ExpectAsync($"test ! -e {_mount}/silent/name{i} && echo none"))];
        for (int i = 0; i < 10; i++)
        {
            string text = await HostShell.ExpectAsync(
                $"touch {_mount}/new{i} && ls {_mount} >/dev/null && cat {_mount}/file").WaitAsync(Patience);
            Assert.Equal("text", text);
        }

        Assert.All(held, task => Assert.False(task.IsCompleted));
        stopped.Dispose();
        Assert.All(await Task.WhenAll(held).WaitAsync(Patience), text => Assert.Equal("none", text));
    }

    private static GuestServer Serve(ShareConfiguration share) => new(new ServeConfiguration { Shares = [share] }, new CollectedLog());

    private static Task<T> Start<T>(Func<T> work) =>
        Task.Factory.StartNew(work, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private static Errno Look(VirtioFsGuest guest, NodeId parent, string name)
    {
        try
        {
            guest.Fuse.Lookup(parent, Encoding.UTF8.GetBytes(name));
            return Errno.None;
        }
        catch (FuseException failed)
        {
            return failed.Errno;
        }
    }

    private static byte[] Read(VirtioFsGuest guest, NodeId file)
    {
        byte[] bytes = new byte[64];
        FileHandle handle = new(guest.Fuse.Open(file, OpenFlags.O_RDONLY).fh);
        int count = guest.Fuse.Read(file, handle, 0, bytes);
        guest.Fuse.Release(file, handle);
        return bytes[..count];
    }

    /// <summary>A daemon that does not answer until this is disposed: before those who would wait for it for ever.</summary>
    private sealed class Stopped : IDisposable
    {
        private readonly RunningDaemon _daemon;

        public Stopped(RunningDaemon daemon)
        {
            _daemon = daemon;
            Signal("STOP");
        }

        public void Dispose() => Signal("CONT");

        private void Signal(string signal) => ChildProcess.Run("kill", [$"-{signal}", $"{_daemon.Id}"]);
    }
}
