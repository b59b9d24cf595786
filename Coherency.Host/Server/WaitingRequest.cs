using Coherency.Core.Fuse;

namespace Coherency.Host.Server;

/// <summary>A request in a <see cref="RetryQueue"/>.</summary>
internal sealed class WaitingRequest
{
    private readonly LockAttempt _attempt;

    /// <param name="conversation">The one that it belongs to.</param>
    public WaitingRequest(FuseRequest request, FuseSession.Conversation? conversation)
    {
        Request = request;
        Conversation = conversation;
    }

    /// <summary>It waits for a lock.</summary>
    public WaitingRequest(FuseRequest request, in LockAttempt attempt)
    {
        Request = request;
        _attempt = attempt;
        WantsLock = true;
    }

    public FuseRequest Request { get; }

    public FuseSession.Conversation? Conversation { get; }

    public bool WantsLock { get; }

    /// <summary>What it waits for, if that is a lock.</summary>
    public ref readonly LockAttempt Lock => ref _attempt;

    /// <summary>As <see cref="Environment.TickCount64"/>.</summary>
    public long Since { get; } = Environment.TickCount64;

    /// <summary>A client was found to hold the lock: the host need not be asked.</summary>
    public bool IsHeldByClient { get; set; }

    /// <summary>The queue's thread works with it, without the lock.</summary>
    public bool IsTried { get; set; }

    public bool IsCancelled { get; set; }
}
