namespace Coherency.Daemon.Dashboard;

/// <summary>
/// What the dashboard shows of the daemon. Methods are called on any thread, several at once, at most a few times a second
/// for each open page.
/// </summary>
public interface IDashboardData
{
    IReadOnlyList<DashboardShare> ListShares();

    /// <summary>Guests and mounts of the host, connected or not, always in the same order.</summary>
    /// <param name="countStale">Fill in <see cref="DashboardGuest.StaleEntries"/>, which looks at everything that is held.</param>
    Task<IReadOnlyList<DashboardGuest>> ListGuestsAsync(bool countStale, CancellationToken cancellation);

    /// <param name="buckets">1 to <see cref="DashboardEndpoints.BucketsMax"/>, a power of two.</param>
    /// <returns>Null when the guest is not known or has no table.</returns>
    Task<DashboardTable?> FindTableAsync(string guest, int buckets, CancellationToken cancellation);

    /// <summary>Stale entries in an order in which those that stay keep their places.</summary>
    /// <param name="guest">Null for all.</param>
    /// <param name="after"><see cref="DashboardStalePage.Next"/> of the page before; null for the first.</param>
    /// <returns>Null when the guest is not known or <paramref name="after"/> makes no sense.</returns>
    Task<DashboardStalePage?> FindStaleAsync(string? guest, string? after, int most, CancellationToken cancellation);
}
