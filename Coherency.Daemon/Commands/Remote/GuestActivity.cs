using V1 = Coherency.Admin.V1;

namespace Coherency.Daemon.Commands.Remote;

/// <summary>What a guest did between two answers of the daemon.</summary>
/// <param name="Guest">As of the later answer.</param>
/// <param name="RequestsPerSecond">Null of a guest that the earlier answer does not have; so are the next three.</param>
/// <param name="ErrorsPerSecond">Requests that failed.</param>
/// <param name="Median">Seconds; also null when there were no requests.</param>
/// <param name="P99">The same of 99 of 100 requests.</param>
internal sealed record GuestActivity(V1.Guest Guest, double? RequestsPerSecond, double? ErrorsPerSecond, double? Median, double? P99)
{
    public static IEnumerable<GuestActivity> Between(V1.ListGuestsResponse before, V1.ListGuestsResponse now)
    {
        double seconds = (now.At - before.At).ToTimeSpan().TotalSeconds;
        double[] bounds = [.. now.DurationBoundsSeconds];
        return
            from guest in now.Guests
            let earlier = before.Guests.FirstOrDefault(one => one.Name == guest.Name)
            select earlier is null ? new GuestActivity(guest, null, null, null, null) : Between(earlier, guest, seconds, bounds);
    }

    private static GuestActivity Between(V1.Guest before, V1.Guest now, double seconds, double[] bounds)
    {
        long[] durations = new long[bounds.Length + 1];
        Add(durations, now, 1);
        Add(durations, before, -1);
        return new GuestActivity(
            now,
            Rate(before.Requests, now.Requests, seconds),
            Rate(before.FailedRequests, now.FailedRequests, seconds),
            Quantile(bounds, durations, 0.5),
            Quantile(bounds, durations, 0.99));
    }

    private static void Add(long[] durations, V1.Guest guest, int sign)
    {
        foreach (V1.Operation operation in guest.Operations)
        {
            for (int bucket = 0; bucket < Math.Min(durations.Length, operation.Durations.Count); bucket++)
            {
                durations[bucket] += sign * (long)operation.Durations[bucket];
            }
        }
    }

    /// <summary>A daemon that was started again counts from zero.</summary>
    private static double Rate(ulong before, ulong now, double seconds) => now > before && seconds > 0 ? (now - before) / seconds : 0;

    /// <summary>As Prometheus' histogram_quantile has it: within a bucket, requests count as spread evenly.</summary>
    private static double? Quantile(double[] bounds, long[] counts, double part)
    {
        double rank = part * counts.Sum();
        long seen = 0;
        for (int bucket = 0; rank > 0 && bucket < counts.Length; bucket++)
        {
            seen += counts[bucket];
            if (seen >= rank)
            {
                double lower = bucket == 0 ? 0 : bounds[bucket - 1];
                double upper = bucket < bounds.Length ? bounds[bucket] : lower;
                return lower + ((upper - lower) * (1 - ((seen - rank) / counts[bucket])));
            }
        }

        return null;
    }
}
