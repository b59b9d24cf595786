using Coherency.Bench.Reports.Contents;
using Coherency.Bench.Results;

namespace Coherency.Bench.Goals;

/// <summary>The bars of a daemon that knows very many inodes.</summary>
internal static class InodeGoals
{
    private const long Many = 10_000_000;
    private const long Few = 10_000;
    private const double MemoryMax = 2.0 * (1L << 30);
    private const double SlowerMax = 1.3;

    public static IEnumerable<Goal> Judge(Findings findings) => [MemoryStays(findings), DescriptorsStay(findings), LookupStays(findings)];

    private static Goal MemoryStays(Findings findings) => AtMost(
        findings, Quantity.Memory, "daemon memory under 2 GiB", MemoryMax, bytes => $"{Readable.Of(Quantity.Memory, bytes)} {Readable.Unit(Quantity.Memory)}");

    private static Goal DescriptorsStay(Findings findings) => AtMost(
        findings, Quantity.Descriptors, "no growth of descriptors", most: 0, added => $"{Readable.Count(added)} more");

    private static Goal AtMost(Findings findings, Quantity quantity, string wanted, double most, Func<double, string> write)
    {
        double[] found = [.. WithInodes(findings, quantity, Many)];
        return found.Length > 0
            ? Goal.Judged(wanted, Subject, found.Max() <= most, write(found.Max()))
            : Goal.NotMeasured(wanted, Subject, "not measured with so many");
    }

    private static Goal LookupStays(Findings findings)
    {
        string wanted = $"LOOKUP p50 within {Readable.Ratio(SlowerMax)} times that with {Readable.Count(Few)}";
        double[] few = [.. WithInodes(findings, Quantity.LatencyP50, Few)];
        double[] many = [.. WithInodes(findings, Quantity.LatencyP50, Many)];
        return few.Length > 0 && many.Length > 0
            ? Goal.Judged(wanted, Subject, many.Max() <= SlowerMax * few.Min(), $"{Readable.Ratio(many.Max() / few.Min())} times")
            : Goal.NotMeasured(wanted, Subject, "not measured with both numbers");
    }

    private static string Subject => $"{Readable.Count(Many)} inodes";

    private static IEnumerable<double> WithInodes(Findings findings, Quantity quantity, long inodes) =>
        from situation in findings.OfLevel(BenchLevel.Daemon)
        where situation.Conditions.Size == inodes
        let ours = DaemonGoals.OursIn(findings, situation, quantity)
        where ours is not null
        select findings.Find(situation, ours, quantity)!.Value.Median;
}
