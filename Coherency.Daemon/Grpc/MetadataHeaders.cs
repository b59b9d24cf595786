using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Coherency.Daemon.Grpc;

/// <summary>Between <see cref="Metadata"/> and headers: bytes stand there as Base64.</summary>
internal static class MetadataHeaders
{
    private static readonly HashSet<string> OfProtocol = new(StringComparer.OrdinalIgnoreCase)
    {
        "content-type", "te", "host", "content-length", "accept-encoding", "connection",
    };

    public static Metadata Read(IHeaderDictionary headers)
    {
        Metadata metadata = new();
        foreach ((string name, StringValues values) in headers)
        {
            string key = name.ToLowerInvariant();
            if (OfProtocol.Contains(key) || key.StartsWith(':') || key.StartsWith("grpc-", StringComparison.Ordinal))
            {
                continue;
            }

            foreach (string? value in values)
            {
                Add(metadata, key, value ?? "");
            }
        }

        return metadata;
    }

    public static string Format(Metadata.Entry entry) => entry.IsBinary ? Convert.ToBase64String(entry.ValueBytes) : entry.Value;

    private static void Add(Metadata metadata, string key, string value)
    {
        if (!key.EndsWith(Metadata.BinaryHeaderSuffix, StringComparison.Ordinal))
        {
            metadata.Add(key, value);
            return;
        }

        // Several values may stand in one header, and their padding may be missing.
        foreach (string part in value.Split(',', StringSplitOptions.TrimEntries))
        {
            Span<byte> bytes = new byte[part.Length];
            if (Convert.TryFromBase64String(part.PadRight((part.Length + 3) / 4 * 4, '='), bytes, out int count))
            {
                metadata.Add(key, bytes[..count].ToArray());
            }
        }
    }
}
