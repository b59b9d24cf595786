using System.Globalization;

namespace Coherency.Daemon.Grpc;

/// <summary>The header <c>grpc-timeout</c>: at most eight digits and a unit.</summary>
internal static class GrpcTimeout
{
    public const string Header = "grpc-timeout";

    private const int DigitsMax = 8;

    /// <summary>Longer ones are none: a timer cannot be set for them.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromDays(40);

    /// <summary>Null in <paramref name="timeout"/> for none, and for one that is as good as none.</summary>
    public static bool TryParse(string? text, out TimeSpan? timeout)
    {
        timeout = null;
        if (string.IsNullOrEmpty(text))
        {
            return true;
        }

        if (text.Length > DigitsMax + 1
            || !long.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out long value)
            || !TryGetUnit(text[^1], out TimeSpan? unit))
        {
            return false;
        }

        // Nanoseconds are rounded up to what a timer knows.
        double ticks = Math.Ceiling(value * (unit?.Ticks ?? 0.01));
        timeout = ticks < Longest.Ticks ? new TimeSpan((long)ticks) : null;
        return true;
    }

    public static string Format(TimeSpan timeout)
    {
        long milliseconds = (long)Math.Ceiling(Math.Max(0, timeout.TotalMilliseconds));
        return milliseconds < 100_000_000
            ? string.Create(CultureInfo.InvariantCulture, $"{milliseconds}m")
            : string.Create(CultureInfo.InvariantCulture, $"{milliseconds / 1000}S");
    }

    /// <summary>Null in <paramref name="unit"/> for nanoseconds, of which a tick has a hundred.</summary>
    private static bool TryGetUnit(char letter, out TimeSpan? unit)
    {
        unit = letter switch
        {
            'H' => TimeSpan.FromHours(1),
            'M' => TimeSpan.FromMinutes(1),
            'S' => TimeSpan.FromSeconds(1),
            'm' => TimeSpan.FromMilliseconds(1),
            'u' => TimeSpan.FromMicroseconds(1),
            _ => null,
        };
        return unit is not null || letter == 'n';
    }
}
