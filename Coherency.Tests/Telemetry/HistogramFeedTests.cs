using System.Diagnostics.Metrics;
using Coherency.Daemon.Telemetry.Instruments;
using Coherency.Host.Server.Statistics;

namespace Coherency.Tests.Telemetry;

public sealed class HistogramFeedTests : IDisposable
{
    private readonly Meter _meter = new("Coherency.Tests.HistogramFeed");
    private readonly MeterListener _listener = new();
    private readonly List<double> _recorded = [];
    private readonly DurationRecorder _durations = new();
    private readonly HistogramFeed _feed;

    public HistogramFeedTests()
    {
        _feed = new HistogramFeed(_meter, new DurationMetric("durations", "", () => [new DurationSeries("one", [], _durations.Read())]));
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter == _meter)
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<double>((_, value, _, _) => _recorded.Add(value));
        _listener.Start();
    }

    public void Dispose()
    {
        _listener.Dispose();
        _meter.Dispose();
    }

    [Fact]
    public void Each_duration_is_passed_on_once_and_the_sum_is_right()
    {
        foreach (long nanoseconds in (long[])[1_100, 1_900, 700, 40_000_000_000])
        {
            _durations.Record(nanoseconds);
        }

        _feed.PassOn();
        _feed.PassOn();
        Assert.Equal(4, _recorded.Count);
        Assert.Equal(40.0000037, _recorded.Sum(), 1e-12);
        Assert.Equal(2, _recorded.Count(seconds => seconds is > 1e-6 and <= 2e-6));

        _durations.Record(700);
        _feed.PassOn();
        Assert.Equal(5, _recorded.Count);
    }

    /// <summary>After a day without a collection the next one is as short as any, and shows the same distribution.</summary>
    [Fact]
    public void A_collection_is_bounded_however_much_has_come()
    {
        const int Rare = 40_000;
        const int Count = 100 * Rare;
        for (int i = 0; i < Count; i++)
        {
            _durations.Record(i % 100 == 0 ? 3_000_000 : 700);
        }

        _feed.PassOn();
        Assert.InRange(_recorded.Count, HistogramFeed.RecordsMax - DurationBuckets.Count, HistogramFeed.RecordsMax);
        double rare = _recorded.Count(seconds => seconds > 1e-3);
        Assert.Equal((double)Rare / Count, rare / _recorded.Count, 1e-5);
    }
}
