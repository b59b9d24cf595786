using BenchmarkDotNet.Attributes;
using Coherency.Core.Versioning;
using Coherency.Host.Coherence;
using Coherency.Host.Coherence.Changes;

namespace Coherency.Bench.Microbenchmarks;

/// <summary>What every cached answer costs beside the cache, a change beside its system call, and a guest that comes and goes.</summary>
public class TableBenchmarks
{
    private readonly ShareGroup _group = new();
    private VersionTableWriter _writer = null!;
    private VersionTableReader _reader = null!;
    private TableView _view = null!;
    private VersionSample _sample;
    private VersionSample _earlierSample;

    [GlobalSetup]
    public void Open()
    {
        _writer = TableOf("writer");
        _reader = VersionTableReader.Open($"/proc/self/fd/{_writer.Fd}");
        _view = AttachedGuests.ViewOf(_group, "attach");
        _earlierSample = _reader.Sample(SlotKey.Inode(12345));
        _writer.Move([SlotKey.Inode(12345)]);
        _sample = _reader.Sample(SlotKey.Inode(12345));
    }

    [GlobalCleanup]
    public void Close()
    {
        _view.Dispose();
        _reader.Dispose();
        _writer.Dispose();
    }

    [Benchmark(Description = "check of a cached answer: it may be used")]
    public bool CheckHit() => _reader.IsCurrent(SlotKey.Inode(12345), _sample);

    [Benchmark(Description = "check of a cached answer: it is stale")]
    public bool CheckMiss() => _reader.IsCurrent(SlotKey.Inode(12345), _earlierSample);

    [Benchmark(Description = "begin and end of one slot")]
    public void BeginAndEnd()
    {
        // Of another slot than the ones above look at.
        ReadOnlySpan<SlotKey> slots = [SlotKey.Inode(54321)];
        _writer.Begin(slots);
        _writer.End(slots);
    }

    [Benchmark(Description = "create a view of 2 MiB and free it")]
    public void CreateView()
    {
        using TableView view = AttachedGuests.ViewOf(_group, "create");
    }

    [Benchmark(Description = "attach and detach a guest")]
    public bool AttachAndDetach()
    {
        _ = _view.TryAttach(out _);
        return _view.Detach();
    }

    internal static VersionTableWriter TableOf(string tag) =>
        VersionTableWriter.CreateAnonymous(new VersionTableDescription(tag, 1, VersionTableLayout.DefaultSlotCount, 1000));
}

/// <summary>Finding a name's slot.</summary>
public class HashBenchmarks
{
    private byte[] _name = [];

    [Params(1, 15, 64, 255)]
    public int NameBytes { get; set; }

    [GlobalSetup]
    public void Open() => _name = [.. Enumerable.Range(0, NameBytes).Select(i => (byte)('a' + (i % 26)))];

    [Benchmark(Description = "hash of a name")]
    public SlotKey Hash() => SlotKey.Name(0x123456789ABCDEF0, _name);
}

/// <summary>A group with guests that are attached.</summary>
public abstract class AttachedGuests
{
    private TableView[] _views = [];

    protected ShareGroup Group { get; } = new();

    [GlobalCleanup]
    public void Close()
    {
        foreach (TableView view in _views)
            view.Dispose();
    }

    internal static TableView ViewOf(ShareGroup group, string tag) => new(group, TableBenchmarks.TableOf(tag));

    protected void Attach(int guests)
    {
        _views = [.. Enumerable.Range(0, guests).Select(i => ViewOf(Group, $"v{i}"))];
        foreach (TableView view in _views)
            view.TryAttach(out _);
    }
}

/// <summary>A whole change of two slots, as CREATE makes it, by the number of guests that are attached.</summary>
public class ViewBenchmarks : AttachedGuests
{
    [Params(0, 1, 10, 100)]
    public int Views { get; set; }

    [GlobalSetup]
    public void Open() => Attach(Views);

    [Benchmark(Description = "a change of two slots")]
    public void Change()
    {
        using MutationScope scope = Group.Begin(null, [TouchedObject.Inode(12345), TouchedObject.Inode(54321)]);
    }
}

/// <summary>Changes of different inodes by several threads at once, in ten views.</summary>
public class ThreadBenchmarks : AttachedGuests
{
    private const int ChangesPerThread = 10_000;

    [Params(1, 2)]
    public int Threads { get; set; }

    [GlobalSetup]
    public void Open() => Attach(10);

    [Benchmark(Description = "a change of one slot, each thread, ten guests attached", OperationsPerInvoke = ChangesPerThread)]
    public void ConcurrentChange() => Parallel.For(0, Threads, new ParallelOptions { MaxDegreeOfParallelism = Threads }, thread =>
    {
        for (int i = 0; i < ChangesPerThread; i++)
        {
            using MutationScope scope = Group.Begin(null, [TouchedObject.Inode((ulong)((thread * 100_000) + (i * 8)))]);
        }
    });
}
