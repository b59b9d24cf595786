namespace Coherency.Host.Coherence;

/// <summary>Learns of every change that sessions make to a share; called by several threads at a time.</summary>
public interface IMutationObserver
{
    /// <summary>Before the first system call of a change.</summary>
    /// <param name="session">The session that makes it (<see cref="Passthrough.PassthroughFileSystem.SessionId"/>).</param>
    /// <param name="slots">What the change may touch; the same one may stand there twice.</param>
    void Begin(int session, ReadOnlySpan<SlotKey> slots);

    /// <summary>After its last system call, whether it failed or not, and before the reply; same arguments as before.</summary>
    void End(int session, ReadOnlySpan<SlotKey> slots);
}
