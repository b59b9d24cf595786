using Coherency.Daemon.Reports;
using V1 = Coherency.Admin.V1;

namespace Coherency.Tests.Dashboard;

public class RequestHistoryTests
{
    [Fact]
    public void A_rate_is_what_was_added_in_a_second()
    {
        RequestHistory history = new(new ManualTime());
        V1.GetRequestRatesResponse rates = Run(history, ("a", 100), ("a", 150), ("a", 350));
        Assert.Equal([-1, 50, 200], Assert.Single(rates.Guests).Rates);
    }

    [Fact]
    public void Only_what_came_after_is_told()
    {
        RequestHistory history = new(new ManualTime());
        long sequence = Run(history, ("a", 0), ("a", 10)).Sequence;
        history.Sample([KeyValuePair.Create("a", 40L)]);
        Assert.Equal([30], Assert.Single(history.Read(sequence).Guests).Rates);
        Assert.Empty(Assert.Single(history.Read(sequence + 1).Guests).Rates);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(long.MinValue)]
    [InlineData(long.MaxValue)]
    public void A_number_that_is_none_gets_all(long after)
    {
        RequestHistory history = new(new ManualTime());
        history.Sample([KeyValuePair.Create("a", 0L)]);
        Assert.Equal(RequestHistory.Samples, Assert.Single(history.Read(after).Guests).Rates.Count);
    }

    [Fact]
    public void A_counter_that_falls_is_no_negative_rate()
    {
        RequestHistory history = new(new ManualTime());
        Assert.Equal([-1, 0, 5], Assert.Single(Run(history, ("a", 100), ("a", 3), ("a", 8)).Guests).Rates);
    }

    [Fact]
    public void A_guest_that_goes_is_forgotten()
    {
        RequestHistory history = new(new ManualTime());
        Assert.Equal("b", Assert.Single(Run(history, ("a", 1), ("b", 1)).Guests).Guest);
    }

    /// <summary>Samples one guest each second and reads these samples.</summary>
    private static V1.GetRequestRatesResponse Run(RequestHistory history, params (string Guest, long Requests)[] samples)
    {
        long before = history.Read(0).Sequence;
        foreach ((string guest, long requests) in samples)
        {
            history.Sample([KeyValuePair.Create(guest, requests)]);
        }

        return history.Read(before);
    }

    /// <summary>A clock on which a second passes each time that somebody looks.</summary>
    private sealed class ManualTime : TimeProvider
    {
        private long _seconds;

        public override long GetTimestamp() => ++_seconds * TimestampFrequency;
    }
}
