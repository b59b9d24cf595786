using System.Diagnostics;
using Coherency.Core.Fuse;
using Coherency.Core.Versioning;
using Coherency.Core.Versioning.Abi;
using Coherency.Guest;
using Coherency.Guest.Coherence;

namespace Coherency.Tests.Coherence.Events;

/// <summary>The first guest of a bed: whenever it hears of a file, it looks how long that is, and believes its cache.</summary>
internal sealed class LookingGuest : IDisposable
{
    private readonly VersionTableReader _table;
    private readonly ListeningGuest _listener;
    private readonly object _seen = new();
    private long _size;

    /// <param name="bed">Its file "file" is made empty.</param>
    public LookingGuest(EventBed bed)
    {
        File.WriteAllText(bed.PathOf("file"), "");
        VirtioFsGuest guest = bed.Connect(0, attaches: false);
        _table = bed.OpenTable(0);
        Cache = CoherentCache.Attach(guest.Fuse, _table);
        NodeId file = Cache.Lookup(NodeId.Root, "file") ?? throw new InvalidOperationException("there is no file");
        Cache.GetAttributes(file);
        _listener = bed.Listen(guest);
        _listener.Heard = told =>
        {
            if (told.Name == "file" && told.Kinds.HasFlag(FileEventKinds.Modify))
            {
                long size = (long)Cache.GetAttributes(file).size;
                Looked?.Invoke(size);
                lock (_seen)
                {
                    Looks++;
                    _size = size;
                    Monitor.PulseAll(_seen);
                }
            }
        };
    }

    public CoherentCache Cache { get; }

    public int Looks { get; private set; }

    /// <summary>Is called after each look, on the listener's thread.</summary>
    public Action<long>? Looked { get; set; }

    /// <summary>Waits until a look has found what is there. There may be no other one.</summary>
    public void ExpectSeen(long size)
    {
        Stopwatch waited = Stopwatch.StartNew();
        lock (_seen)
        {
            while (_size != size)
            {
                Assert.True(waited.Elapsed < EventBed.Patience, $"the last look found {_size} bytes and not {size}; {_listener.Failed}");
                Monitor.Wait(_seen, 100);
            }
        }
    }

    public void Dispose()
    {
        Cache.Dispose();
        _table.Dispose();
    }
}
