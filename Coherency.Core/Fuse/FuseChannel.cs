namespace Coherency.Core.Fuse;

/// <summary>Where requests come from and replies go: a virtqueue, or the kernel's FUSE device.</summary>
public abstract class FuseChannel
{
    /// <summary>
    /// Hands a reply of <paramref name="bytes"/> (0: none) to the client and takes the request back for reuse. Any thread may call it.
    /// </summary>
    public abstract void Complete(FuseRequest request, int bytes);

    /// <summary>
    /// The request stays unanswered after the thread that received it goes on: what it points to must live until
    /// <see cref="Complete"/>.
    /// </summary>
    public abstract void Park(FuseRequest request);

    /// <summary>Tells that the client left too little room for a reply: it breaks the protocol and gets none.</summary>
    public abstract void ReportNoRoom(FuseRequest request, long bodyBytes);
}
