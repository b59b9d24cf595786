namespace Coherency.Tests.Linearizability;

/// <summary>Bits of a register were found all set, or not all. Of what nobody knew yet it tells too little to bind it.</summary>
internal sealed record ReadBits(ulong Bits, bool AreSet) : Transition
{
    public override bool IsRead => true;

    public override bool TryApply(ObjectState before, out ObjectState after)
    {
        after = before;
        return before == Register.Unknown || ((before.First & Bits) == Bits) == AreSet;
    }

    public override string ToString() => $"bits {Bits} {(AreSet ? "are" : "are not")} set";
}

/// <summary>A register was found to hold a value, or another one.</summary>
internal sealed record CompareValue(ulong Value, bool IsEqual) : Transition
{
    public override bool IsRead => true;

    public override bool TryApply(ObjectState before, out ObjectState after)
    {
        after = before;
        return before == Register.Unknown || (before.First == Value) == IsEqual;
    }

    public override string ToString() => $"{(IsEqual ? "is" : "is not")} {Value}";
}

/// <summary>A value that others raise was seen to have come this far: it never goes back.</summary>
internal sealed record ReachValue(ulong Value) : Transition
{
    // The state keeps what was seen.
    public override bool IsRead => false;

    public override bool TryApply(ObjectState before, out ObjectState after)
    {
        after = Register.Holding(Value);
        return Value >= before.First;
    }

    public override string ToString() => $"reached {Value}";
}

internal sealed record CountUp : Transition
{
    public override bool IsRead => false;

    public override bool TryApply(ObjectState before, out ObjectState after)
    {
        after = Register.Holding(before.First + 1);
        return true;
    }

    public override string ToString() => "one more";
}

internal sealed record CountDown : Transition
{
    public override bool IsRead => false;

    public override bool TryApply(ObjectState before, out ObjectState after)
    {
        after = Register.Holding(before.First - 1);
        return before.First > 0;
    }

    public override string ToString() => "one fewer";
}
