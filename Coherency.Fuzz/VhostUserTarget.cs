using System.Net.Sockets;
using Coherency.Core.Linux;
using Coherency.Core.VhostUser;
using Coherency.Host.Server;
using Coherency.Host.Transports.VhostUser;

namespace Coherency.Fuzz;

/// <summary>
/// What a front end says. Messages one after the other: a byte of request, one of flags, one of descriptors that come with it, one of
/// length, the payload; the request 255 is bytes as they are.
/// </summary>
internal sealed class VhostUserTarget : FuzzTarget
{
    private const int FrameBytes = 4;
    private const byte Raw = 255;
    private const int MemoryBytes = 64 * 1024;

    private readonly string _path = Path.Combine(Path.GetTempPath(), $"coherency-fuzz-{Environment.ProcessId}.sock");
    private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly FaultLog _log = new();
    private readonly LockWaits _lockWaits = new();
    private readonly GuestOptions _options;
    private readonly int _memory;

    public VhostUserTarget()
    {
        _listener.Bind(new UnixDomainSocketEndPoint(_path));
        _listener.Listen();
        _options = new GuestOptions
        {
            Name = "fuzzed",
            SocketPath = _path,
            Tag = "fuzzed",
            RequestQueues = 1,
            Queue = new QueueOptions(0, 0),
        };
        _memory = LinuxException.Check(Libc.MemFdCreate("fuzzed", 0), "memfd_create");
        LinuxException.Check(Libc.FTruncate(_memory, MemoryBytes), "ftruncate");
    }

    public override void Take(ReadOnlySpan<byte> input)
    {
        using Socket client = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        client.Connect(new UnixDomainSocketEndPoint(_path));
        using Socket accepted = _listener.Accept();
        Say(client, input);
        client.Shutdown(SocketShutdown.Send);
        Serve(accepted);
        _log.Check();
    }

    public override void Dispose()
    {
        _listener.Dispose();
        File.Delete(_path);
        Libc.Close(_memory);
        base.Dispose();
    }

    private void Serve(Socket accepted)
    {
        using VhostUserConnection connection = new(Libc.Dup((int)accepted.Handle));
        using FuseSession session = new(static () => new NullFileSystem(), new SessionOptions(), _lockWaits, _log);
        using VhostUserBackend backend = new(connection, _options, session, [new QueueLoad(), new QueueLoad()], _log);
        try
        {
            backend.Run();
        }
        catch (VhostUserException)
        {
            // It has refused.
        }
    }

    private void Say(Socket client, ReadOnlySpan<byte> input)
    {
        using VhostUserConnection connection = new(Libc.Dup((int)client.Handle));
        using EventFd rung = EventFd.Create();
        while (input.Length >= FrameBytes)
        {
            int length = Math.Min((int)input[3], input.Length - FrameBytes);
            ReadOnlySpan<byte> payload = input.Slice(FrameBytes, length);
            if (input[0] == Raw)
            {
                client.Send(payload);
            }
            else
            {
                connection.Send(input[0], input[1], payload, Descriptors(input[2], rung));
            }

            input = input[(FrameBytes + length)..];
        }
    }

    /// <summary>None, one or many, of memory or of events.</summary>
    private int[] Descriptors(byte kind, EventFd rung) =>
        [.. Enumerable.Repeat((kind & 1) == 0 ? _memory : rung.Fd, (kind >> 1) & 7)];
}
