using System.Diagnostics;
using Coherency.Core.Fuse;
using Coherency.Core.Versioning;
using Coherency.Core.Versioning.Abi;
using Coherency.Daemon.Configuration;
using Coherency.Daemon.Hosting;
using Coherency.Guest;
using Coherency.Guest.Coherence;
using Coherency.Guest.Fuse;
using Coherency.Tests.Hostile;

namespace Coherency.Tests.Coherence.Events;

/// <summary>A daemon, and user-space guests of one share that consult their tables; some of them listen.</summary>
internal sealed class EventBed : IDisposable
{
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private readonly DirectoryInfo _work = Directory.CreateTempSubdirectory("coherency-events-");
    private readonly List<IDisposable> _open = [];

    public EventBed(Func<ShareConfiguration, ShareConfiguration>? configure = null, int guests = 3)
    {
        Shared = _work.CreateSubdirectory("shared").FullName;
        ShareConfiguration share = new()
        {
            SharedDir = Shared,
            Guests = [.. "abcdefghijk"[..guests].Select(name => new GuestConfiguration { Name = $"{name}", Socket = Path
                .Combine(_work.FullName, $"{name}.sock") })],
        };
        Log = new CollectedLog();
        Server = new GuestServer(new ServeConfiguration { Shares = [configure?.Invoke(share) ?? share] }, Log);
    }

    public string Shared { get; }

    public GuestServer Server { get; }

    public CollectedLog Log { get; }

    private string SocketOf(int guest) => Path.Combine(_work.FullName, $"{"abcdefghijk"[guest]}.sock");

    public string PathOf(string name) => Path.Combine(Shared, name);

    public VirtioFsGuest Connect(int guest, bool attaches = true)
    {
        VirtioFsGuest connected = VirtioFsGuest.Connect(SocketOf(guest));
        _open.Add(connected);
        if (attaches)
        {
            using VersionTableReader table = OpenTable(guest);
            AttachHandshake.Perform(connected.Fuse, table);
        }

        return connected;
    }

    public VersionTableReader OpenTable(int guest) => VersionTableReader.Open(SocketOf(guest) + ".table");

    public ListeningGuest Listen(VirtioFsGuest guest, FileEventKinds wanted = FileEventKinds.All)
    {
        ListeningGuest listener = new(guest, wanted);
        _open.Add(listener);
        return listener;
    }

    /// <summary>The guest's name is its place.</summary>
    public bool Hears(int guest) => Server.Guests[guest].Session.HearsOfChanges;

    public void Dispose()
    {
        for (int i = _open.Count - 1; i >= 0; i--)
        {
            _open[i].Dispose();
        }

        Server.Dispose();
        _work.Delete(recursive: true);
    }
}

/// <summary>A guest that fetches what it is told, on a thread of its own.</summary>
internal sealed class ListeningGuest : IDisposable
{
    private readonly EventChannel _channel;
    private readonly Thread _thread;
    private readonly List<ToldEvent> _told = [];
    private volatile bool _stopping;
    private volatile Exception? _failed;
    private long _polls;
    private int _lostAll;

    public ListeningGuest(VirtioFsGuest guest, FileEventKinds wanted)
    {
        _channel = EventChannel.Open(guest.Fuse, wanted);
        _thread = new Thread(Run) { IsBackground = true };
        _thread.Start();
    }

    public long Polls => Volatile.Read(ref _polls);

    public int TimesLostAll => Volatile.Read(ref _lostAll);

    public Exception? Failed => _failed;

    /// <summary>Is called with each event, on the listener's thread.</summary>
    public Action<ToldEvent>? Heard { get; set; }

    public ToldEvent[] Told
    {
        get
        {
            lock (_told)
            {
                return [.. _told];
            }
        }
    }

    public ToldEvent[] Await(Func<ToldEvent[], bool> isEnough, string what)
    {
        Stopwatch waited = Stopwatch.StartNew();
        ToldEvent[] told = Told;
        while (!isEnough(told))
        {
            Assert.True(
                waited.Elapsed < EventBed.Patience,
                $"not told: {what}. Told were: {string.Join("; ", told.TakeLast(30).Select(one => one.ToString()))}; {_failed}");
            lock (_told)
            {
                Monitor.Wait(_told, 20);
            }

            told = Told;
        }

        return told;
    }

    public ToldEvent Await(FileEventKinds kind, string name)
    {
        return Await(told => told.Any(Matches), $"{kind} {name}").First(Matches);

        bool Matches(ToldEvent told) => told.Kinds.HasFlag(kind) && told.Name == name;
    }

    public void Forget()
    {
        lock (_told)
        {
            _told.Clear();
        }
    }

    public void Dispose()
    {
        _stopping = true;
        _channel.Dispose();
        _thread.Join();
    }

    private void Run()
    {
        try
        {
            while (!_stopping)
            {
                EventBlock block = _channel.Poll(EventBed.Patience);
                Interlocked.Increment(ref _polls);
                if (block.LostAll)
                {
                    Interlocked.Increment(ref _lostAll);
                }

                foreach (ToldEvent told in block.Events)
                {
                    Heard?.Invoke(told);
                }

                lock (_told)
                {
                    _told.AddRange(block.Events);
                    Monitor.PulseAll(_told);
                }
            }
        }
        catch (Exception failed)
        {
            _failed = failed;
        }
    }
}
