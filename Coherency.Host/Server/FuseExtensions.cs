using System.Runtime.InteropServices;
using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;

namespace Coherency.Host.Server;

/// <summary>Reads the extensions after a request's arguments (fuse.h: fuse_ext_header).</summary>
internal static class FuseExtensions
{
    /// <summary>
    /// Finds the supplementary group of a FUSE_EXT_GROUPS extension; clients send at most one, the one that owns the parent
    /// directory. False when an extension's length lies.
    /// </summary>
    public static unsafe bool TryReadSupplementaryGroup(ReadOnlySpan<byte> extensions, out uint? group)
    {
        group = null;
        while (!extensions.IsEmpty)
        {
            if (!MemoryMarshal.TryRead(extensions, out fuse_ext_header header)
                || header.size < sizeof(fuse_ext_header) || header.size > extensions.Length || header.size % 8 != 0)
            {
                return false;
            }

            ReadOnlySpan<byte> body = extensions[sizeof(fuse_ext_header)..(int)header.size];
            if (header.type == (uint)FuseExtensionType.Groups && !TryReadGroup(body, out group))
            {
                return false;
            }

            extensions = extensions[(int)header.size..];
        }

        return true;
    }

    private static bool TryReadGroup(ReadOnlySpan<byte> body, out uint? group)
    {
        // SAFETY: a copy that the client cannot change (FuseRequest.Extensions). As many whole words as there are,
        // aligned or not; each is looked at within their number.
        ReadOnlySpan<uint> words = MemoryMarshal.Cast<byte, uint>(body);
        group = words.Length >= 2 && words[0] == 1 ? words[1] : null;
        return words.Length >= 1 && words[0] <= words.Length - 1;
    }
}
