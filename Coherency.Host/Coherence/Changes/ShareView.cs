using Coherency.Core.Versioning;

namespace Coherency.Host.Coherence.Changes;

/// <summary>
/// How one client of a share (a guest, a mount of the host) learns what the others change. Called by any number of threads
/// at a time, between <see cref="ShareGroup.TryJoin"/> and the last change that began before <see cref="ShareGroup.Leave"/>.
/// </summary>
public abstract class ShareView
{
    /// <summary>What people call the client; empty when it has no name.</summary>
    public string Name { get; init; } = string.Empty;

    /// <summary>The names that the client was given, if somebody writes them down.</summary>
    public IGivenNames? Given { get; set; }

    /// <summary>Before the first system call of a change: the client must believe nothing about these slots.</summary>
    public abstract void Begin(ReadOnlySpan<SlotKey> slots);

    /// <summary>After its last system call, whether it failed or not, and before whoever made it gets the reply.</summary>
    /// <param name="slots">As at the beginning.</param>
    /// <param name="touched">What the slots stand for, in the same order.</param>
    public abstract void End(ReadOnlySpan<SlotKey> slots, ReadOnlySpan<TouchedObject> touched);

    /// <summary>After a change of the client's own, whose names may have stood for other inodes than it thinks.</summary>
    public virtual void EndOwn(ReadOnlySpan<TouchedObject> touched)
    {
    }

    /// <summary>A change that was over before anybody here knew of it; with a name's slot comes its directory's.</summary>
    public abstract void Move(ReadOnlySpan<SlotKey> slots);

    /// <summary>Nobody knows what was changed: the client must believe nothing that it cached so far.</summary>
    public abstract void MoveAll();
}
