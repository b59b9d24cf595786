namespace Coherency.Tests.Linearizability;

/// <summary>What an object holds at one moment: a register its value, a pair of names what each stands for.</summary>
internal readonly record struct ObjectState(ulong First, ulong Second = 0);

/// <summary>A thing that operations read and write and that is checked by itself: no transition touches two.</summary>
/// <param name="Name">For people.</param>
internal sealed record CheckedObject(string Name, ObjectState Initial)
{
    // Two objects are never the same one, whatever they are called.
    public bool Equals(CheckedObject? other) => ReferenceEquals(this, other);

    public override int GetHashCode() => System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(this);
}
