using Google.Protobuf.WellKnownTypes;
using V1 = Coherency.Admin.V1;

namespace Coherency.Daemon.Reports;

/// <summary>Requests per second of each guest over the last five minutes, so that a page shows them as soon as it opens.</summary>
internal sealed class RequestHistory
{
    public const int Samples = 300;

    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private const double Unknown = -1;

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

    /// <param name="guests">Requests of each, from the start on.</param>
    public void Sample(IEnumerable<KeyValuePair<string, long>> guests)
    {
        lock (_lock)
        {
            long now = _time.GetTimestamp();
            double seconds = _time.GetElapsedTime(_lastSample, now).TotalSeconds;
            _lastSample = now;
            _sequence++;
            Dictionary<string, long> requests = new(guests);
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
    public V1.GetRequestRatesResponse Read(long after)
    {
        lock (_lock)
        {
            int count = after >= 0 && after <= _sequence ? (int)Math.Min(_sequence - after, Samples) : Samples;
            V1.GetRequestRatesResponse response = new()
            {
                Sequence = _sequence,
                Interval = Duration.FromTimeSpan(Interval),
                Samples = Samples,
            };
            response.Guests.AddRange(
                from series in _series
                select new V1.RequestRates { Guest = series.Key, Rates = { series.Value.Last(_sequence, count) } });
            return response;
        }
    }

    /// <summary>A ring of one guest's rates.</summary>
    private sealed class Series
    {
        private readonly double[] _rates = [.. Enumerable.Repeat(Unknown, Samples)];
        private long? _total;

        public void Add(long sequence, long total, double seconds)
        {
            _rates[sequence % Samples] = _total is { } before && seconds > 0
                ? Math.Round(Math.Max(0, total - before) / seconds, 1)
                : Unknown;
            _total = total;
        }

        public IEnumerable<double> Last(long sequence, int count) =>
            Enumerable.Range(0, count).Select(i => _rates[(sequence - count + 1 + i) % Samples]);
    }
}
