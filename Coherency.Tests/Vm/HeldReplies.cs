namespace Coherency.Tests.Vm;

/// <summary>Several replies that are held back together.</summary>
public sealed class HeldReplies(IEnumerable<HeldReply> replies) : IDisposable
{
    private readonly HeldReply[] _replies = [.. replies];

    /// <summary>Waits until all requests have been carried out.</summary>
    /// <exception cref="TimeoutException">One did not come.</exception>
    public Task WaitAsync() => Task.WhenAll(_replies.Select(reply => reply.WaitAsync()));

    public void Release() => Array.ForEach(_replies, reply => reply.Release());

    public void Dispose() => Array.ForEach(_replies, reply => reply.Dispose());
}
