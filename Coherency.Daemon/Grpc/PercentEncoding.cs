using System.Globalization;
using System.Text;

namespace Coherency.Daemon.Grpc;

/// <summary>How the text of a status stands in a header (PROTOCOL-HTTP2.md, "Status-Message"): printable ASCII but the percent sign.</summary>
internal static class PercentEncoding
{
    public static string Encode(string text)
    {
        StringBuilder encoded = new(text.Length);
        foreach (byte one in Encoding.UTF8.GetBytes(text))
        {
            if (one is >= (byte)' ' and <= (byte)'~' and not (byte)'%')
            {
                encoded.Append((char)one);
            }
            else
            {
                encoded.Append(CultureInfo.InvariantCulture, $"%{one:X2}");
            }
        }

        return encoded.ToString();
    }

    /// <summary>What is no valid escape stays as it is.</summary>
    public static string Decode(string text) => Uri.UnescapeDataString(text);
}
