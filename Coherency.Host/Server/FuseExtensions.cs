using System.Runtime.InteropServices;
using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;

namespace Coherency.Host.Server;

/// <summary>Reads the extensions after a request's arguments (fuse.h: fuse_ext_header).</summary>
internal static unsafe class FuseExtensions
{
    private const int Alignment = 8;

    /// <summary>
    /// Finds the supplementary group of a FUSE_EXT_GROUPS extension, of which clients send at most one, the one that owns the parent
    /// directory; and the security contexts of another one. False when a length or a number lies, or a context is none.
    /// </summary>
    /// <param name="labels">null when there are none.</param>
    public static bool TryRead(ReadOnlySpan<byte> extensions, out uint? group, out SecurityLabel[]? labels)
    {
        group = null;
        labels = null;
        while (!extensions.IsEmpty)
        {
            if (!MemoryMarshal.TryRead(extensions, out fuse_ext_header header)
                || header.size < sizeof(fuse_ext_header) || header.size > extensions.Length || header.size % Alignment != 0)
            {
                return false;
            }

            ReadOnlySpan<byte> body = extensions[sizeof(fuse_ext_header)..(int)header.size];
            bool isRead = (FuseExtensionType)header.type switch
            {
                FuseExtensionType.Groups => TryReadGroup(body, out group),
                // Their number is the type: the header is a fuse_secctx_header.
                <= FuseExtensionType.MaxSecurityContexts => header.type == 0 || TryReadLabels(body, (int)header.type, out labels),
                _ => true,
            };
            if (!isRead)
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

    /// <summary>Each is a fuse_secctx, a name with its NUL and the value, and filled up to a multiple of 8 bytes.</summary>
    private static bool TryReadLabels(ReadOnlySpan<byte> body, int count, out SecurityLabel[]? labels)
    {
        labels = new SecurityLabel[count];
        for (int i = 0; i < count; i++)
        {
            if (!MemoryMarshal.TryRead(body, out fuse_secctx context))
            {
                return false;
            }

            ReadOnlySpan<byte> rest = body[sizeof(fuse_secctx)..];
            int nameBytes = rest.IndexOf((byte)0) + 1;
            if (!IsLabelName(rest[..Math.Max(0, nameBytes - 1)]) || context.size > FuseLimits.XattrBytesMax
                || context.size > rest.Length - nameBytes)
            {
                return false;
            }

            labels[i] = new SecurityLabel(rest[..nameBytes].ToArray(), rest.Slice(nameBytes, (int)context.size).ToArray());
            int end = sizeof(fuse_secctx) + nameBytes + (int)context.size;
            body = body[Math.Min(body.Length, (end + Alignment - 1) & -Alignment)..];
        }

        return true;
    }

    /// <summary>Attributes with ids in them are translated, which these are not.</summary>
    private static bool IsLabelName(ReadOnlySpan<byte> name) =>
        name.Length <= FuseLimits.XattrNameBytesMax && name.StartsWith("security."u8) && !name.SequenceEqual("security.capability"u8);
}
