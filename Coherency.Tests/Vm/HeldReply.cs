namespace Coherency.Tests.Vm;

/// <summary>
/// A reply that stays with the daemon, after what the request asked for was done, until <see cref="Release"/>. Until there is one,
/// it is the next that <see cref="ReplyGate.Hold"/> describes.
/// </summary>
public sealed class HeldReply : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private readonly TaskCompletionSource _isHeld = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _isReleased = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly IDisposable _interception;
    private int _toPass;

    internal HeldReply(Func<Action, IDisposable> intercept, int toPass)
    {
        _toPass = toPass;
        _interception = intercept(Pass);
    }

    /// <summary>Waits until the request has been carried out.</summary>
    /// <exception cref="TimeoutException">No such request came.</exception>
    public Task WaitAsync() => _isHeld.Task.WaitAsync(Patience);

    /// <summary>Lets the reply go, and holds no other.</summary>
    public void Release() => _isReleased.TrySetResult();

    public void Dispose()
    {
        Release();
        _interception.Dispose();
    }

    /// <summary>Those that come before it, and after it, are not held up.</summary>
    private void Pass()
    {
        if (Interlocked.Decrement(ref _toPass) == -1)
        {
            _isHeld.TrySetResult();
            _isReleased.Task.Wait();
        }
    }
}
