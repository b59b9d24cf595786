using System.Collections.Concurrent;
using Coherency.Core.Fuse;
using Coherency.Core.Virtio;
using Coherency.Host.Server;
using Microsoft.Extensions.Logging;

namespace Coherency.Host.Transports.VhostUser;

/// <summary>
/// The way of requests through one running virtqueue: gives out request objects, takes their replies back to the guest and
/// knows how many are on their way.
/// </summary>
internal sealed partial class VirtqueueChannel : FuseChannel, IDisposable
{
    private readonly Virtqueue _queue;
    private readonly VringCall _call;
    private readonly ILogger _log;
    private readonly ConcurrentBag<VirtqueueRequest> _free = [];
    private readonly LogLimit _noRoom = new();
    private VirtqueueRequest? _spare;
    private int _inFlight;

    public VirtqueueChannel(Virtqueue queue, VringCall call, ILogger log)
    {
        _queue = queue;
        _call = call;
        _log = log;
    }

    /// <summary>Requests taken from the ring and not given back yet.</summary>
    public int InFlight => Volatile.Read(ref _inFlight);

    /// <summary>A request object for the chain that starts at <paramref name="head"/>; in flight from here on.</summary>
    public VirtqueueRequest Rent(ushort head)
    {
        Interlocked.Increment(ref _inFlight);
        VirtqueueRequest? request = Interlocked.Exchange(ref _spare, null);
        if (request is null && !_free.TryTake(out request))
        {
            request = new VirtqueueRequest(this);
        }

        request.Reset(head);
        return request;
    }

    public override void Complete(FuseRequest request, int bytes)
    {
        VirtqueueRequest own = (VirtqueueRequest)request;
        ushort head = own.Head;
        own.LetGo();
        if (Interlocked.CompareExchange(ref _spare, own, null) is not null)
        {
            _free.Add(own);
        }

        if (_queue.Push(head, (uint)bytes))
        {
            _call.Signal();
        }

        Interlocked.Decrement(ref _inFlight);
    }

    public override void Park(FuseRequest request) => ((VirtqueueRequest)request).Hold(_queue.Memory);

    public override void ReportNoRoom(FuseRequest request, long bodyBytes) =>
        ReportNoRoom(request.Opcode, bodyBytes, request.ReplyCapacity);

    private void ReportNoRoom(FuseOpcode opcode, long bytes, long room)
    {
        if (_noRoom.Allows(out long unsaid))
        {
            LogNoRoom(_log, opcode, bytes, room, unsaid);
        }
    }

    public void Dispose()
    {
        _spare?.Dispose();
        while (_free.TryTake(out VirtqueueRequest? request))
        {
            request.Dispose();
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The reply to {Opcode} has {Bytes} bytes, the guest left room for {Room}: it gets none ({Unsaid} more since the last line)")]
    private static partial void LogNoRoom(ILogger log, FuseOpcode opcode, long bytes, long room, long unsaid);
}
