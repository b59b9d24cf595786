using System.Diagnostics;
using System.Globalization;

namespace Coherency.Tests.Vm;

/// <summary>
/// Delays between two clocks that have nothing to do with each other. What a guest hears of it hears after the change, and what it
/// answers it answers before the answer is there: the fastest ones of some rounds say how far apart the clocks are, to within half of what
/// both ways took at best. Only few rounds are taken together, for the clocks do not go equally fast.
/// </summary>
internal sealed class DelayClock
{
    private const int Together = 25;

    private readonly List<(double Changed, double Answered)> _rounds = [];
    private double _changed;

    public TimeSpan SinceChange => TimeSpan.FromMicroseconds(Now - _changed);

    private static double Now => Stopwatch.GetElapsedTime(0).TotalMicroseconds;

    public void Changed(int round)
    {
        Assert.Equal(_rounds.Count + 1, round);
        _changed = Now;
    }

    public void Answered(int round)
    {
        _rounds.Add((_changed, Now));
        Assert.Equal(_rounds.Count, round);
    }

    /// <param name="told">Lines of guest-tool's follow.</param>
    public string Describe(string told)
    {
        (double Heard, double Answering)[] guest = [.. told.Split('\n')
            .Select(line => line.Split(' '))
            .Where(words => words.Length == 3)
            .Select(words => (Microseconds(words[1]), Microseconds(words[2])))];
        Assert.Equal(_rounds.Count, guest.Length);
        List<double> delays = [];
        List<double> doubts = [];
        foreach (var some in _rounds.Zip(guest, (here, there) => (Here: here, There: there)).Chunk(Together))
        {
            double most = some.Min(round => round.There.Heard - round.Here.Changed);
            double least = some.Max(round => round.There.Answering - round.Here.Answered);
            delays.AddRange(some.Select(round => round.There.Heard - round.Here.Changed - ((most + least) / 2)));
            doubts.Add((most - least) / 2);
        }

        delays.Sort();
        doubts.Sort();
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{delays.Count} changes heard of after {delays[delays.Count / 2]:F0} us (p50), " +
            $"{delays[delays.Count * 99 / 100]:F0} us (p99), " +
            $"to within {doubts[doubts.Count / 2]:F0} us (median)");
    }

    private static double Microseconds(string nanoseconds) => double.Parse(nanoseconds, CultureInfo.InvariantCulture) / 1000;
}
