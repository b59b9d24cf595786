using System.Text;

namespace Coherency.Bench.Workloads;

/// <summary>
/// Where a workload works. Nodes are looked up while it is prepared; references add up in a counter of the daemon and cost nothing.
/// </summary>
/// <param name="Fuse">The guest; requests to prepare the workload go through it, before and after measuring.</param>
/// <param name="Lanes">Operations in flight.</param>
/// <param name="Driver">Number of the thread that drives it, over all guests and queues: names that a workload makes hold it, since all
/// work in one tree.</param>
internal sealed record WorkloadContext(FuseClient Fuse, int Lanes, int Driver)
{
    private const uint FileMode = 0x1A4;

    private readonly Dictionary<(NodeId Parent, object Names), NodeId[]> _found = [];

    /// <summary>Where names are made and removed.</summary>
    public NodeId Scratch => Find(BenchTree.ScratchDirectory);

    public NodeId Find(ReadOnlySpan<byte> name) => Find(NodeId.Root, name);

    public NodeId Find(NodeId parent, ReadOnlySpan<byte> name) => new(Fuse.Lookup(parent, name).nodeid);

    /// <summary>Nodes of names in a directory, looked up for the first lane that asks for them.</summary>
    public NodeId[] FindAll(NodeId parent, IReadOnlyList<byte[]> names) => _found.TryGetValue((parent, names), out NodeId[]? found)
        ? found
        : _found[(parent, names)] = [.. names.Select(name => Find(parent, name))];

    /// <summary>The nodes of the 1,000 small files.</summary>
    public NodeId[] FindFiles() => FindAll(Find(BenchTree.FilesDirectory), BenchTree.FileNames);

    /// <summary>A name that no other lane of any driver has.</summary>
    public byte[] ScratchName(string prefix, Lane lane) =>
        Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{prefix}-{Driver}-{lane.Number}"));

    /// <summary>Makes an empty file in the scratch directory and closes it.</summary>
    public NodeId MakeFile(byte[] name)
    {
        CreatedFile file = Fuse.Create(Scratch, name, OpenFlags.O_RDWR, FileMode);
        Fuse.Release(file.Node, file.Handle);
        return file.Node;
    }

    /// <summary>What a lane takes in turn: numbers below a count, so that all lanes together go through all of them.</summary>
    public Turns TakeTurns(int count, Lane lane) => new(lane.Number + (Driver * 97), Lanes, count);
}

/// <summary>Numbers from 0 to below a count, over and over.</summary>
internal sealed class Turns(int first, int step, int count)
{
    private uint _next = (uint)first;

    public int Next()
    {
        int turn = (int)(_next % (uint)count);
        _next += (uint)step;
        return turn;
    }
}
