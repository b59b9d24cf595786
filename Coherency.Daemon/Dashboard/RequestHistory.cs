namespace Coherency.Daemon.Dashboard;

/// <summary>Requests per second of each guest over the last five minutes, so that a page shows them as soon as it opens.</summary>
internal sealed class RequestHistory
{
    public const int Samples = 300;

    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private readonly Dictionary<string, Series> _series = [];
    private readonly TimeProvider _time;
    private long _sequence;
    private long _lastSample;

    public RequestHistory(TimeProvider time)
    {
        _time = time;
        _lastSample = time.GetTimestamp();

        // Numbers of a daemon that starts again lie behind those of the one before.
        _sequence = time.GetUtcNow().ToUnixTimeSeconds();
    }

    /// <summary>Samples until it is cancelled.</summary>
    public async Task RunAsync(IDashboardData data, CancellationToken cancellation)
    {
        using PeriodicTimer timer = new(Interval, _time);
        try
        {
            while (await timer.WaitForNextTickAsync(cancellation).ConfigureAwait(false))
            {
                Sample(await data.ListGuestsAsync(countStale: false, cancellation).ConfigureAwait(false));
            }
        }
        catch (OperationCanceledException)
        {
            // That is how it ends.
        }
    }

    public void Sample(IReadOnlyList<DashboardGuest> guests)
    {
        lock (_lock)
        {
            long now = _time.GetTimestamp();
            double seconds = _time.GetElapsedTime(_lastSample, now).TotalSeconds;
            _lastSample = now;
            _sequence++;
            Dictionary<string, long> requests = guests.ToDictionary(guest => guest.Name, guest => guest.Requests);
            foreach (string name in _series.Keys.Except(requests.Keys).ToArray())
            {
                _series.Remove(name);
            }

            foreach ((string name, long total) in requests)
            {
                if (!_series.TryGetValue(name, out Series? series))
                {
                    _series[name] = series = new Series();
                }

                series.Add(_sequence, total, seconds);
            }
        }
    }

    /// <param name="after">Only samples behind this number; anything that is no such number gets all.</param>
    public DashboardRates Read(long after)
    {
        lock (_lock)
        {
            int count = after >= 0 && after <= _sequence ? (int)Math.Min(_sequence - after, Samples) : Samples;
            return new DashboardRates(
                _sequence,
                Interval.TotalSeconds,
                Samples,
                [.. _series.Select(pair => new DashboardRateSeries(pair.Key, pair.Value.Last(_sequence, count)))]);
        }
    }

    /// <summary>A ring of one guest's rates.</summary>
    private sealed class Series
    {
        private readonly double?[] _rates = new double?[Samples];
        private long? _total;

        public void Add(long sequence, long total, double seconds)
        {
            _rates[sequence % Samples] = _total is { } before && seconds > 0 ? Math.Round(Math.Max(0, total - before) / seconds, 1) : null;
            _total = total;
        }

        public double?[] Last(long sequence, int count)
        {
            double?[] last = new double?[count];
            for (int i = 0; i < count; i++)
            {
                last[i] = _rates[(sequence - count + 1 + i) % Samples];
            }

            return last;
        }
    }
}
