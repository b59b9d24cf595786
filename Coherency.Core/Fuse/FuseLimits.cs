using Coherency.Core.Fuse.Abi;

namespace Coherency.Core.Fuse;

/// <summary>Named maxima of the protocol layer, each with its reason.</summary>
public static class FuseLimits
{
    /// <summary>
    /// Largest payload of READ and WRITE, in bytes: 256 pages, the kernel's own ceiling until 6.12 and a good size since.
    /// </summary>
    public const int PayloadBytesMax = 1 << 20;

    /// <summary><see cref="PayloadBytesMax"/> in pages, as FUSE_INIT counts it.</summary>
    public const int PayloadPagesMax = PayloadBytesMax / 4096;

    /// <summary>
    /// Pieces of memory of one request, both directions: a payload in pages that starts within one, the headers and arguments,
    /// and as much again for drivers that split finer.
    /// </summary>
    public const int SegmentsMax = 1024;

    /// <summary>
    /// Arguments that are copied before they are looked at, in bytes: the largest extended attribute (64 KiB), names and
    /// structs fit, and so do 8,000 elements of a BATCH_FORGET.
    /// </summary>
    public const int BodyBytesMax = 128 << 10;

    /// <summary>A reply that is built before it is copied out (directories, attributes, links), in bytes.</summary>
    public const int ScratchBytesMax = 256 << 10;

    /// <summary>What a client's buffer for one message must hold, in bytes.</summary>
    public const int MessageBytesMax = PayloadBytesMax + 4096;

    /// <summary>The longest extended attribute name and value, and list of names (linux/limits.h), in bytes.</summary>
    public const int XattrNameBytesMax = 255;
    public const int XattrBytesMax = 64 << 10;

    /// <summary>The longest symlink target (PATH_MAX without its NUL), in bytes.</summary>
    public const int SymlinkBytesMax = 4095;

    /// <summary>Bytes of a header on the wire.</summary>
    public static unsafe int InHeaderBytes => sizeof(fuse_in_header);

    /// <inheritdoc cref="InHeaderBytes"/>
    public static unsafe int OutHeaderBytes => sizeof(fuse_out_header);
}
