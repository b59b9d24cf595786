using System.Globalization;
using Coherency.Bench.Results;

namespace Coherency.Bench.Reports;

/// <summary>Figures and conditions as the text of a table's cell.</summary>
internal static class Cells
{
    private const double ThreeDigits = 100;

    /// <summary>With about three digits that say something.</summary>
    public static string Number(double value) =>
        value.ToString(Math.Abs(value) >= ThreeDigits ? "#,0" : "#,0.##", CultureInfo.InvariantCulture);

    public static string Ratio(double value) => value.ToString("0.00", CultureInfo.InvariantCulture);

    /// <summary>Only what is out of the ordinary.</summary>
    public static string Conditions(Conditions conditions)
    {
        List<string> words = [];
        AddIf(words, conditions.Depth > 0, $"depth {conditions.Depth}");
        AddIf(words, conditions.Queues > 1, $"{conditions.Queues} queues");
        AddIf(words, conditions.Guests > 1, $"{conditions.Guests} guests");
        AddIf(words, conditions.State == CacheState.Cold, "cold");
        AddIf(words, conditions.State == CacheState.Warm, "warm");
        AddIf(words, conditions.Size > 0, conditions.Size.ToString("#,0", CultureInfo.InvariantCulture));
        return string.Join(", ", words);
    }

    /// <summary>Name and unit, short.</summary>
    public static string Heading(Quantity quantity) => quantity switch
    {
        Quantity.Duration => "s",
        Quantity.LatencyP50 => "p50 us",
        Quantity.LatencyP99 => "p99 us",
        Quantity.Rate => "op/s",
        Quantity.Requests => "requests",
        Quantity.DaemonCpu => "daemon us/request",
        Quantity.GuestCpu => "guest us/request",
        Quantity.InodeMemory => "bytes/inode",
        Quantity.Memory => "bytes",
        Quantity.Descriptors => "descriptors",
        Quantity.CallTime => "ns",
        Quantity.FalseSharing => "refetches/s",
        _ => throw new ArgumentOutOfRangeException(nameof(quantity), quantity, null),
    };

    private static void AddIf(List<string> words, bool holds, string word)
    {
        if (holds)
        {
            words.Add(word);
        }
    }
}
