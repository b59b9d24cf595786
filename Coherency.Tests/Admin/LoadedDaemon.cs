using Coherency.Core.Fuse;
using Coherency.Core.Versioning;
using Coherency.Guest;
using Coherency.Guest.Coherence;
using Coherency.Guest.Files;
using Coherency.Guest.Fuse;
using Coherency.Tests.Daemon;

namespace Coherency.Tests.Admin;

/// <summary>
/// A daemon under load: <c>web</c> looks at a tree again and again through a coherent cache, <c>build</c> changes it, fails at
/// something now and then, and a program of the host changes it too. Both guests are programs of this machine.
/// </summary>
internal sealed class LoadedDaemon : IDisposable
{
    private const int Files = 300;

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("coherency-load-");
    private readonly RunningDaemon _daemon;
    private readonly CancellationTokenSource _ended = new();
    private readonly CountdownEvent _working = new(2);
    private readonly Task[] _work;

    public LoadedDaemon()
    {
        DirectoryInfo docs = _folder.CreateSubdirectory("share").CreateSubdirectory("docs");
        foreach (int i in Enumerable.Range(0, Files))
        {
            File.WriteAllText(Path.Combine(docs.FullName, NameOf(i)), "text");
        }

        _daemon = RunningDaemon.Start(
            "serve", "--shared-dir", docs.Parent!.FullName, "--guest", $"web={SocketOf("web")}", "--guest", $"build={SocketOf("build")}",
            "--admin-socket", Socket, "--dashboard", "0");
        _work = [Run(Look), Run(Change), Run(() => ChangeOnHost(docs.FullName))];
        if (!_working.Wait(Patience))
        {
            Dispose();
            Assert.Fail("the guests do not come to work");
        }
    }

    public string Socket => SocketOf("admin");

    /// <summary>Asks the daemon with its own command line.</summary>
    public ChildResult Ask(params string[] arguments) =>
        ChildProcess.Run("dotnet", [RunningDaemon.Program, "admin", "--socket", Socket, .. arguments]);

    /// <summary>Ends the load, and the daemon.</summary>
    public void Stop()
    {
        EndLoad();
        Assert.Equal(0, _daemon.Stop());
    }

    public void Dispose()
    {
        EndLoad();
        _daemon.Dispose();
        _ended.Dispose();
        _working.Dispose();
        _folder.Delete(recursive: true);
    }

    private static string NameOf(int i) => $"page{i}.md";

    private string SocketOf(string name) => Path.Combine(_folder.FullName, $"{name}.sock");

    private Task Run(Action work) => Task.Factory.StartNew(work, _ended.Token, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private void EndLoad()
    {
        _ended.Cancel();
        Task.WaitAll([.. _work.Select(work => work.ContinueWith(_ => { }, TaskScheduler.Default))]);
    }

    private void CountFirst(int round)
    {
        if (round == 1)
        {
            _working.Signal();
        }
    }

    private void Look()
    {
        using VirtioFsGuest guest = VirtioFsGuest.Connect(SocketOf("web"));
        using VersionTableReader table = VersionTableReader.Open(SocketOf("web") + ".table");
        using CoherentCache cache = CoherentCache.Attach(guest.Fuse, table);
        for (int i = 0; !_ended.Token.WaitHandle.WaitOne(TimeSpan.FromMilliseconds(20)); i++)
        {
            CountFirst(i);
            NodeId docs = cache.Lookup(NodeId.Root, "docs")!.Value;
            foreach (string name in cache.List(docs).Where(name => name[0] != '.'))
            {
                // What was listed may be gone by now.
                if (cache.Lookup(docs, name) is { } page)
                {
                    cache.GetAttributes(page);
                }
            }
        }
    }

    private void Change()
    {
        using VirtioFsGuest guest = VirtioFsGuest.Connect(SocketOf("build"));
        for (int i = 0; !_ended.Token.WaitHandle.WaitOne(TimeSpan.FromMilliseconds(5)); i++)
        {
            CountFirst(i);
            string page = $"/docs/{NameOf(i % Files)}";
            guest.Files.WriteAllBytes($"{page}.new", "new text"u8);
            guest.Files.Rename($"{page}.new", page);
            guest.Files.ReadAllBytes(page);
            if (i % 100 == 0)
            {
                Assert.Throws<FuseException>(() => guest.Files.CreateDirectory("/docs"));
            }
        }
    }

    private void ChangeOnHost(string docs)
    {
        for (int i = 0; !_ended.Token.WaitHandle.WaitOne(TimeSpan.FromMilliseconds(700)); i++)
        {
            File.AppendAllText(Path.Combine(docs, NameOf(i % Files)), "more");
        }
    }
}
