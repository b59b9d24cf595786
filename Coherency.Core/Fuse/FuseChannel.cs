namespace Coherency.Core.Fuse;

/// <summary>Where requests come from and replies go: a virtqueue, or the kernel's FUSE device.</summary>
public abstract class FuseChannel
{
    private RequestBuffers? _spareBuffers;

    /// <summary>
    /// Hands a reply of <paramref name="bytes"/> (0: none) to the client and takes the request back for reuse. Any thread may call it.
    /// </summary>
    public abstract void Complete(FuseRequest request, int bytes);

    /// <summary>
    /// The request stays unanswered after the thread that received it goes on: what it points to must live until
    /// <see cref="Complete"/>.
    /// </summary>
    public abstract void Park(FuseRequest request);

    /// <summary>As <see cref="Park"/>, for a request that waits for news: nobody works for it, and it is no load.</summary>
    public virtual void ParkIdle(FuseRequest request) => Park(request);

    /// <summary>How many requests may wait for locks at a time: who holds one needs room for the request that frees it.</summary>
    public virtual int ParkedMax => int.MaxValue;

    /// <summary>
    /// The thread that carries the request out is about to wait for a disk or another machine: others are to be received meanwhile.
    /// </summary>
    public virtual void StepAside(FuseRequest request)
    {
    }

    /// <summary>Tells that the client left too little room for a reply: it breaks the protocol and gets none.</summary>
    public abstract void ReportNoRoom(FuseRequest request, long bodyBytes);

    internal RequestBuffers RentBuffers() => Interlocked.Exchange(ref _spareBuffers, null) ?? new RequestBuffers();

    /// <summary>One is kept: the thread that a request was taken from to wait begins the next with it.</summary>
    internal void ReturnBuffers(RequestBuffers buffers)
    {
        if (Interlocked.CompareExchange(ref _spareBuffers, buffers, null) is not null)
        {
            buffers.Dispose();
        }
    }
}
