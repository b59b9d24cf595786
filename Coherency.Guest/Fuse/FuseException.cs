using Coherency.Core.Fuse;
using Coherency.Core.Linux;

namespace Coherency.Guest.Fuse;

/// <summary>The file system answered a request with an error number.</summary>
public sealed class FuseException(FuseOpcode opcode, Errno errno) : IOException($"{opcode}: {errno}", (int)errno)
{
    public FuseOpcode Opcode { get; } = opcode;

    public Errno Errno { get; } = errno;
}

/// <summary>The daemon's reply is not what the protocol says it must be.</summary>
public sealed class FuseProtocolException(string message) : IOException(message);
