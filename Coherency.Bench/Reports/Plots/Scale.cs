namespace Coherency.Bench.Reports.Plots;

/// <summary>Where values lie on an axis.</summary>
internal abstract class Scale
{
    private const int StepsWanted = 5;

    /// <summary>What rounding may add to a value that lies on a tick.</summary>
    private const double Rounding = 1e-9;

    private Scale(IReadOnlyList<double> ticks) => Ticks = ticks;

    /// <summary>Values to write at the axis, rising.</summary>
    public IReadOnlyList<double> Ticks { get; }

    /// <summary>From 0 at the axis's beginning to 1 at its end; values beyond lie there.</summary>
    public abstract double Place(double value);

    /// <summary>Begins at 0, so that lengths may be compared.</summary>
    /// <param name="max">More than 0.</param>
    public static Scale Linear(double max)
    {
        double step = NiceStep(max / StepsWanted);
        int steps = (int)Math.Ceiling((max / step) - Rounding);
        return new LinearScale([.. Enumerable.Range(0, steps + 1).Select(i => i * step)]);
    }

    /// <summary>Whole powers of ten, with steps between them where there are few.</summary>
    /// <param name="min">More than 0.</param>
    public static Scale Logarithmic(double min, double max)
    {
        int first = (int)Math.Floor(Math.Log10(min));
        int last = Math.Max(first + 1, (int)Math.Ceiling(Math.Log10(max) - Rounding));
        double[] factors = last - first <= 2 ? [1, 2, 5] : [1];
        double[] ticks = [.. Enumerable.Range(first, last - first + 1).SelectMany(power => factors.Select(factor => factor * Math.Pow(10, power)))];
        int from = Array.FindLastIndex(ticks, tick => tick <= min * (1 + Rounding));
        int to = Array.FindIndex(ticks, tick => tick >= max * (1 - Rounding));
        return new LogarithmicScale(ticks[from..(Math.Max(to, from + 1) + 1)]);
    }

    /// <summary>The values themselves are the ticks: there are few, and they grow by factors.</summary>
    /// <param name="values">Rising, more than 0.</param>
    public static Scale Steps(IReadOnlyList<double> values) => new LogarithmicScale(values);

    private static double NiceStep(double wanted)
    {
        double power = Math.Pow(10, Math.Floor(Math.Log10(wanted)));
        return power * ((wanted / power) switch
        {
            <= 1 + Rounding => 1,
            <= 2 + Rounding => 2,
            <= 5 + Rounding => 5,
            _ => 10,
        });
    }

    private sealed class LinearScale(IReadOnlyList<double> ticks) : Scale(ticks)
    {
        public override double Place(double value) => Math.Clamp(value / Ticks[^1], 0, 1);
    }

    private sealed class LogarithmicScale(IReadOnlyList<double> ticks) : Scale(ticks)
    {
        public override double Place(double value) =>
            Ticks[^1] > Ticks[0] ? Math.Log(Math.Clamp(value, Ticks[0], Ticks[^1]) / Ticks[0]) / Math.Log(Ticks[^1] / Ticks[0]) : 0.5;
    }
}
