using System.Runtime.InteropServices;
using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Host.Server;
using Coherency.Host.Server.Statistics;

namespace Coherency.Fuzz;

/// <summary>A conversation that has begun, over a file system that answers everything.</summary>
internal sealed unsafe class FuzzedSession : IDisposable
{
    private readonly FaultLog _log = new();
    private readonly LockWaits _lockWaits = new();
    private readonly FuseSession _session;
    private readonly RequestRecorder _recorder;

    public FuzzedSession()
    {
        _session = new FuseSession(static () => new NullFileSystem(), new SessionOptions(), _lockWaits, _log);
        _recorder = _session.Counters.Rent();
    }

    /// <summary>As a client does that has just mounted.</summary>
    public void Begin()
    {
        using BufferChannel channel = new();
        fuse_in_header header = new()
        {
            len = (uint)(sizeof(fuse_in_header) + sizeof(fuse_init_in)),
            opcode = (uint)FuseOpcode.Init,
            unique = 1,
        };
        fuse_init_in body = new() { major = 7, minor = 45, flags = uint.MaxValue, flags2 = uint.MaxValue };
        channel.Carry(
            this,
            [.. MemoryMarshal.AsBytes(new ReadOnlySpan<fuse_in_header>(in header)), .. MemoryMarshal.AsBytes(
                new ReadOnlySpan<fuse_init_in>(in body))],
            sizeof(fuse_out_header) + sizeof(fuse_init_out));
    }

    public void Handle(FuseRequest request)
    {
        _session.Handle(request, isPrivate: false, _recorder);
        _log.Check();
    }

    public void Dispose()
    {
        _session.Dispose();
    }
}
