namespace Coherency.Tests.Linearizability;

/// <summary>
/// Two names that are renamed and linked into one another, and what each stands for. Checked together, because a rename
/// does not say what it moves, and because the links of an inode are as many as names that stand for it.
/// </summary>
internal static class NamePair
{
    /// <summary>What an absent name stands for.</summary>
    public const ulong Absent = 0;

    public static ObjectState BothAbsent => new(Absent, Absent);

    public static ulong Get(this ObjectState pair, int name) => name == 0 ? pair.First : pair.Second;

    public static ObjectState With(this ObjectState pair, int name, ulong inode) =>
        name == 0 ? pair with { First = inode } : pair with { Second = inode };

    public static uint CountLinks(this ObjectState pair, ulong inode) =>
        (pair.First == inode ? 1u : 0) + (pair.Second == inode ? 1u : 0);
}

/// <summary>A lookup: the inode, or <see cref="NamePair.Absent"/>.</summary>
internal sealed record FindName(int Name, ulong Inode) : Transition
{
    public override bool IsRead => true;

    public override bool TryApply(ObjectState before, out ObjectState after)
    {
        after = before;
        return before.Get(Name) == Inode;
    }

    public override string ToString() => Inode == NamePair.Absent ? $"name {Name} is absent" : $"name {Name} is {Inode:x}";
}

/// <summary>A name is there or not: in a listing, or because a change of it was refused.</summary>
internal sealed record SeeName(int Name, bool Exists, string Because) : Transition
{
    public override bool IsRead => true;

    public override bool TryApply(ObjectState before, out ObjectState after)
    {
        after = before;
        return before.Get(Name) != NamePair.Absent == Exists;
    }

    public override string ToString() => $"name {Name} {(Exists ? "exists" : "is absent")} ({Because})";
}

/// <summary>Of two names at least one is absent: an exchange was refused.</summary>
internal sealed record SeeOneAbsent : Transition
{
    public override bool IsRead => true;

    public override bool TryApply(ObjectState before, out ObjectState after)
    {
        after = before;
        return before.First == NamePair.Absent || before.Second == NamePair.Absent;
    }

    public override string ToString() => "one name is absent (exchange refused)";
}

/// <summary>An inode's count of links, where all its names are in the pair.</summary>
internal sealed record CountLinks(ulong Inode, uint Links) : Transition
{
    public override bool IsRead => true;

    public override bool TryApply(ObjectState before, out ObjectState after)
    {
        after = before;
        return before.CountLinks(Inode) == Links;
    }

    public override string ToString() => $"{Inode:x} has {Links} links";
}

/// <summary>Makes an inode under a name that was absent.</summary>
internal sealed record MakeName(int Name, ulong Inode) : Transition
{
    public override bool IsRead => false;

    public override bool TryApply(ObjectState before, out ObjectState after)
    {
        after = before.With(Name, Inode);
        return before.Get(Name) == NamePair.Absent;
    }

    public override string ToString() => $"make name {Name}: {Inode:x}";
}

/// <summary>Gives an inode that has the other name this one too.</summary>
internal sealed record LinkName(int Name, ulong Inode) : Transition
{
    public override bool IsRead => false;

    public override bool TryApply(ObjectState before, out ObjectState after)
    {
        after = before.With(Name, Inode);
        return before.Get(Name) == NamePair.Absent && before.CountLinks(Inode) > 0;
    }

    public override string ToString() => $"link name {Name}: {Inode:x}";
}

/// <summary>Removes a name, whatever it stands for.</summary>
internal sealed record RemoveName(int Name) : Transition
{
    public override bool IsRead => false;

    public override bool TryApply(ObjectState before, out ObjectState after)
    {
        after = before.With(Name, NamePair.Absent);
        return before.Get(Name) != NamePair.Absent;
    }

    public override string ToString() => $"remove name {Name}";
}

/// <summary>Gives what one name stands for the other name, whatever that is.</summary>
/// <param name="From">The other is where it goes.</param>
/// <param name="Replaces">False: the other was absent.</param>
internal sealed record RenameName(int From, bool Replaces) : Transition
{
    public override bool IsRead => false;

    public override bool TryApply(ObjectState before, out ObjectState after)
    {
        ulong inode = before.Get(From);
        ulong replaced = before.Get(1 - From);
        // rename(2) of an inode onto itself does nothing.
        after = inode == replaced ? before : before.With(From, NamePair.Absent).With(1 - From, inode);
        return inode != NamePair.Absent && (Replaces || replaced == NamePair.Absent);
    }

    public override string ToString() => $"rename name {From} to {1 - From}{(Replaces ? "" : ", which is absent")}";
}

/// <summary>Exchanges what two names stand for.</summary>
internal sealed record ExchangeNames : Transition
{
    public override bool IsRead => false;

    public override bool TryApply(ObjectState before, out ObjectState after)
    {
        after = new ObjectState(before.Second, before.First);
        return before.First != NamePair.Absent && before.Second != NamePair.Absent;
    }

    public override string ToString() => "exchange the names";
}
