namespace Coherency.Bench.Workloads;

/// <summary>One of the operations in flight.</summary>
/// <param name="number">From 0.</param>
internal sealed class Lane(int number)
{
    public int Number { get; } = number;

    /// <summary>Holds the reply to the request before, and takes the next one.</summary>
    public RequestSlot Slot { get; set; } = null!;
}

/// <summary>
/// An operation, written down as the program that makes it: prepares what it needs, then returns null, and from then on the slot
/// with each request that it has written, and null behind the last reply of an operation, for ever. It allocates nothing
/// meanwhile, and tidies up when it is disposed of.
/// </summary>
internal delegate IEnumerator<RequestSlot?> OperationProgram(WorkloadContext context, Lane lane);

/// <summary>
/// An operation that a client repeats, made of one or more requests. At depth N there are N lanes, each at its own operation; a
/// lane's next request is written when the reply to the one before is in its slot.
/// </summary>
internal sealed class Workload
{
    private readonly WorkloadContext _context;
    private readonly Errno _permitted;
    private readonly (Lane Lane, IEnumerator<RequestSlot?> Program)[] _lanes;

    /// <param name="permitted">The error that is a right answer to a LOOKUP or a GETXATTR of the operation, if there is one.</param>
    public Workload(WorkloadContext context, OperationProgram program, Errno permitted = Errno.None)
    {
        _context = context;
        _permitted = permitted;
        _lanes = [.. Enumerable.Range(0, context.Lanes).Select(number => new Lane(number)).Select(lane => (lane, program(context, lane)))];
        Array.ForEach(_lanes, lane => lane.Program.MoveNext());
    }

    /// <summary>
    /// Writes the lane's next request, or returns false when the operation is complete. Unless an operation begins, the slot holds
    /// the reply to the request before.
    /// </summary>
    public bool WriteNext(int lane, RequestSlot slot)
    {
        (Lane own, IEnumerator<RequestSlot?> program) = _lanes[lane];
        own.Slot = slot;
        program.MoveNext();
        return program.Current is not null;
    }

    /// <summary>Is that error an answer that the operation counts on? Any other ends the measurement.</summary>
    public bool Permits(FuseOpcode opcode, Errno errno) => errno == _permitted && opcode is (FuseOpcode.Lookup or FuseOpcode.GetXattr);

    /// <summary>Gives back what the lanes hold.</summary>
    public void Finish()
    {
        Array.ForEach(_lanes, lane => lane.Program.Dispose());
        _context.Fuse.DrainForgets();
    }
}
