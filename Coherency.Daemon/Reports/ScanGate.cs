namespace Coherency.Daemon.Reports;

/// <summary>
/// Keeps most threads free of scans, which look at everything that guests hold, or at whole tables, for whoever asks: others
/// wait for their turn. Thread-safe.
/// </summary>
internal sealed class ScanGate : IDisposable
{
    /// <summary>Scans at once.</summary>
    private const int ScansMax = 2;

    private readonly SemaphoreSlim _free = new(ScansMax);

    /// <summary>Scans on a thread of the pool, in turn.</summary>
    public async Task<T> RunAsync<T>(Func<T> scan, CancellationToken cancellation)
    {
        await _free.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            return await Task.Run(scan, cancellation).ConfigureAwait(false);
        }
        finally
        {
            _free.Release();
        }
    }

    public void Dispose() => _free.Dispose();
}
