using Coherency.Core.Fuse;

namespace Coherency.Host.Server;

/// <summary>Counts requests by operation. Counting is exact; readers see counts that are a moment old.</summary>
public sealed class RequestCounters
{
    private readonly long[] _byOpcode = new long[FuseOpcodes.Count];
    private long _malformed;

    /// <summary>Requests that could not be decoded.</summary>
    public long Malformed => Volatile.Read(ref _malformed);

    /// <summary>All well-formed requests.</summary>
    public long Total => _byOpcode.Sum();

    public long this[FuseOpcode opcode] => Volatile.Read(ref _byOpcode[(int)opcode]);

    internal void Count(FuseOpcode opcode) => Interlocked.Increment(ref _byOpcode[(int)opcode]);

    internal void CountMalformed() => Interlocked.Increment(ref _malformed);
}
