namespace Coherency.Bench.Guests;

/// <summary>What a guest has asked for since it was started.</summary>
/// <param name="Requests">Completed requests that a program may have waited for.</param>
/// <param name="Forgets">Completed requests of the queue of high priority: FORGET, which nobody waits for.</param>
internal readonly record struct RequestCounts(long Requests, long Forgets)
{
    public static RequestCounts operator -(RequestCounts later, RequestCounts earlier) =>
        new(later.Requests - earlier.Requests, later.Forgets - earlier.Forgets);
}

/// <summary>Counts what a guest asks its server for.</summary>
internal interface IRequestCounter : IDisposable
{
    /// <summary>Waits until nothing is under way.</summary>
    Task<RequestCounts> ReadAsync();
}
