namespace Coherency.Tests.Linearizability;

/// <summary>States and transitions of a register.</summary>
internal static class Register
{
    /// <summary>Before the first write, where nobody knows the value: the first read tells it.</summary>
    public static ObjectState Unknown => new(0, 1);

    public static ObjectState Holding(ulong value) => new(value);
}

internal sealed record ReadValue(ulong Value) : Transition
{
    public override bool IsRead => true;

    public override bool TryApply(ObjectState before, out ObjectState after)
    {
        after = Register.Holding(Value);
        return before == after || before == Register.Unknown;
    }

    public override string ToString() => $"read {Value}";
}

internal sealed record WriteValue(ulong Value) : Transition
{
    public override bool IsRead => false;

    public override bool TryApply(ObjectState before, out ObjectState after)
    {
        after = Register.Holding(Value);
        return true;
    }

    public override string ToString() => $"write {Value}";
}
