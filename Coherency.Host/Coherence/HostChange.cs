using Coherency.Core.Versioning;
using Coherency.Host.Coherence.Changes;

namespace Coherency.Host.Coherence;

/// <summary>One change that a program of the host made, as the kernel told it.</summary>
/// <param name="operation">What was noticed.</param>
/// <param name="processId">
/// The thread that made it, which in most programs has the number of the process; 0 for one that has none here, in another PID
/// namespace.
/// </param>
/// <param name="keys">What it touched.</param>
public readonly ref struct HostChange(ChangeOperation operation, int processId, ReadOnlySpan<SlotKey> keys)
{
    /// <summary>The kernel does not tell; it may have been a client of the share, too.</summary>
    public const int UnknownProcess = -1;

    public ChangeOperation Operation { get; } = operation;

    public int ProcessId { get; } = processId;

    public ReadOnlySpan<SlotKey> Keys { get; } = keys;

    /// <summary>The inode key of the directory that <see cref="Name"/> is in.</summary>
    public ulong Directory { get; init; }

    /// <summary>The first name that was changed; empty when none was.</summary>
    public ReadOnlySpan<byte> Name { get; init; }
}
