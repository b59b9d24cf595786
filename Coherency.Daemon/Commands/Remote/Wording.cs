using System.Globalization;
using Coherency.Admin.V1;
using Google.Protobuf.WellKnownTypes;

namespace Coherency.Daemon.Commands.Remote;

/// <summary>How numbers, times and the names of the contract are shown to people.</summary>
internal static class Wording
{
    /// <summary>Of <c>GUEST_STATE_MOUNTED</c> and its like: <c>mounted</c>.</summary>
    public static string Of<T>(T value)
        where T : struct, System.Enum => value.ToString() switch
        {
            "Unspecified" => "-",
            "NegativeDentry" => "negative-dentry",
            string name => name.ToLowerInvariant(),
        };

    public static string Of(ulong number) => number.ToString("N0", CultureInfo.InvariantCulture);

    public static string Of(bool yes) => yes ? "yes" : "no";

    /// <summary>In the time zone of whoever reads it.</summary>
    public static string Of(Timestamp? time) =>
        time?.ToDateTimeOffset().ToLocalTime().ToString("yyyy-MM-dd HH:mm:ss.fff", CultureInfo.InvariantCulture) ?? "-";

    public static string Of(Duration? duration) => duration is null ? "-" : Of(duration.ToTimeSpan());

    public static string Of(TimeSpan time) => time.TotalSeconds switch
    {
        < 1 => string.Create(CultureInfo.InvariantCulture, $"{time.TotalMilliseconds:0} ms"),
        < 120 => string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds:0.0} s"),
        < 7200 => string.Create(CultureInfo.InvariantCulture, $"{time.TotalMinutes:0.0} min"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{time.TotalHours:0.0} h"),
    };

    /// <summary>How long a request takes, in seconds.</summary>
    public static string OfLatency(double seconds) => seconds switch
    {
        < 1e-3 => string.Create(CultureInfo.InvariantCulture, $"{seconds * 1e6:0.#} us"),
        < 1 => string.Create(CultureInfo.InvariantCulture, $"{seconds * 1e3:0.##} ms"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{seconds:0.##} s"),
    };

    /// <summary>Fractions only where they matter.</summary>
    public static string OfRate(double rate) => rate.ToString(rate < 10 ? "0.##" : "N0", CultureInfo.InvariantCulture);

    public static string Of(Actor? actor) => actor?.WhoCase switch
    {
        Actor.WhoOneofCase.Guest => $"guest {actor.Guest}",
        Actor.WhoOneofCase.Host when actor.Host.Pid == 0 => "host",
        Actor.WhoOneofCase.Host => $"host {actor.Host.Pid} {actor.Host.Command}".TrimEnd(),
        Actor.WhoOneofCase.Admin => $"admin {actor.Admin}",
        Actor.WhoOneofCase.Daemon => $"daemon: {actor.Daemon}",
        _ => "unknown",
    };

    public static string OfCause(Cause? cause) =>
        string.IsNullOrEmpty(cause?.Operation) ? "unknown" : $"{cause.Operation} by {Of(cause.Actor)}";

    public static string OfPath(string path) => path.Length == 0 ? "." : path;

    public static string OfNode(ulong node) => node.ToString("x", CultureInfo.InvariantCulture);
}
