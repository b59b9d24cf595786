namespace Coherency.Tests.Linearizability;

/// <summary>A call and its return, in ticks of one clock that never goes back. What it did are its steps.</summary>
/// <param name="Actor">Who made it; the checker only prints it.</param>
/// <param name="Start">Read before the call.</param>
/// <param name="End">Read after the return.</param>
internal sealed record Operation(string Actor, long Start, long End);

/// <summary>What an operation did to one object.</summary>
internal sealed record Step(Operation Operation, CheckedObject Object, Transition Transition)
{
    public override string ToString() =>
        $"{Operation.Start,14} to {Operation.End,14}  {Operation.Actor,-6} {Transition}";
}
