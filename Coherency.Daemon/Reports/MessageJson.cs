using Google.Protobuf;

namespace Coherency.Daemon.Reports;

/// <summary>Messages as protobuf's JSON: 64-bit integers as text, and fields that have their default too.</summary>
internal static class MessageJson
{
    private static readonly JsonFormatter Formatter = new(JsonFormatter.Settings.Default.WithFormatDefaultValues(true));

    public static string Format(IMessage message) => Formatter.Format(message);
}
