using System.Buffers.Text;
using Coherency.Core.Versioning;

namespace Coherency.Host.Server;

/// <summary>What a client says of its own caches, since it mounted. The daemon cannot check it.</summary>
/// <param name="Hits">Answers that needed no request.</param>
/// <param name="Misses">Answers that did.</param>
public sealed record CacheReport(ulong Hits, ulong Misses)
{
    /// <summary>Part of answers that needed no request; null before the first answer.</summary>
    public double? HitRatio => Hits + (double)Misses is > 0 and double all ? Hits / all : null;

    /// <param name="attribute">What was asked for.</param>
    /// <param name="report">Null when it reports nothing that makes sense.</param>
    /// <returns>It was meant as a report.</returns>
    internal static bool IsReport(ReadOnlySpan<byte> attribute, out CacheReport? report)
    {
        report = null;
        if (!attribute.StartsWith(VersionTableLayout.ReportAttributePrefix))
        {
            return false;
        }

        ReadOnlySpan<byte> numbers = attribute[VersionTableLayout.ReportAttributePrefix.Length..];
        int point = numbers.IndexOf((byte)'.');
        if (point > 0
            && Utf8Parser.TryParse(numbers[..point], out ulong hits, out int hitsLength) && hitsLength == point
            && Utf8Parser.TryParse(numbers[(point + 1)..], out ulong misses, out int missesLength)
                && missesLength == numbers.Length - point - 1)
        {
            report = new CacheReport(hits, misses);
        }

        return true;
    }
}
