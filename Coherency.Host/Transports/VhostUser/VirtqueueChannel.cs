using System.Collections.Concurrent;
using Coherency.Core.Fuse;
using Coherency.Core.Virtio;
using Coherency.Host.Faults;
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
    private readonly VringEvent _call;
    private readonly Action<VirtqueueRequest> _stepAside;
    private readonly ILogger _log;
    private readonly ConcurrentBag<VirtqueueRequest> _free = [];
    private readonly LogLimit _noRoom = new();
    private VirtqueueRequest? _spare;
    private int _inFlight;
    private int _idle;

    /// <param name="stepAside">Has another thread serve the queue while the request's thread waits.</param>
    public VirtqueueChannel(Virtqueue queue, VringEvent call, Action<VirtqueueRequest> stepAside, ILogger log)
    {
        _queue = queue;
        _call = call;
        _stepAside = stepAside;
        _log = log;
    }

    /// <summary>Requests taken from the ring and not given back yet.</summary>
    public int InFlight => Volatile.Read(ref _inFlight);

    /// <summary>Of these, those for which nobody works.</summary>
    public int Idle => Volatile.Read(ref _idle);

    /// <summary>
    /// A request object for the chain that starts at <paramref name="head"/>; in flight from here on. For the thread
    /// that leads, before its turn begins.
    /// </summary>
    public VirtqueueRequest Rent(ushort head)
    {
        VirtqueueRequest? request = Interlocked.Exchange(ref _spare, null);
        if (request is null && !_free.TryTake(out request))
        {
            request = new VirtqueueRequest(this);
        }

        Interlocked.Increment(ref _inFlight);
        request.Begin(head, _queue.Memory);
        return request;
    }

    public override int ParkedMax => (int)_queue.Entries / 2;

    public override void Complete(FuseRequest request, int bytes)
    {
        VirtqueueRequest own = (VirtqueueRequest)request;
        ushort head = own.Head;
        if (own.IsIdle)
        {
            Interlocked.Decrement(ref _idle);
        }

        own.LetGo();
        try
        {
            if (!own.HasBuffers)
            {
                // It has waited. What is kept to be used again is as many as are carried out at a time.
                own.Dispose();
            }
            else if (Interlocked.CompareExchange(ref _spare, own, null) is not null)
            {
                _free.Add(own);
            }

            if (_queue.Push(head, (uint)bytes))
            {
                _call.Signal();
            }
        }
        finally
        {
            // Who stops the queue waits for this.
            Interlocked.Decrement(ref _inFlight);
        }
    }

    public override void Park(FuseRequest request) => ((VirtqueueRequest)request).Hold();

    public override void ParkIdle(FuseRequest request)
    {
        ((VirtqueueRequest)request).Hold(isIdle: true);
        Interlocked.Increment(ref _idle);
    }

    public override void StepAside(FuseRequest request) => _stepAside((VirtqueueRequest)request);

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

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message =
            "The reply to {Opcode} has {Bytes} bytes, the guest left room for {Room}: it gets none ({Unsaid} more since the last line)")]
    private static partial void LogNoRoom(ILogger log, FuseOpcode opcode, long bytes, long room, long unsaid);
}
