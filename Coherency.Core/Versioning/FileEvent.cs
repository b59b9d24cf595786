using Coherency.Core.Versioning.Abi;

namespace Coherency.Core.Versioning;

/// <summary>
/// One change of a file, as a message of the channel tells it. The name lives as long as the memory that it is read from.
/// </summary>
public readonly ref struct FileEvent
{
    /// <summary>Key of the directory that <see cref="Name"/> is in; 0 when it is not told.</summary>
    public ulong Directory { get; init; }

    /// <summary>Key of the inode that it befell; 0 when it is not told.</summary>
    public ulong Child { get; init; }

    public FileEventKinds Kinds { get; init; }

    /// <summary>Pairs the two halves of a rename; 0 for everything else.</summary>
    public uint Cookie { get; init; }

    public FileEventFlags Flags { get; init; }

    /// <summary>At most <see cref="ChannelConstants.NameBytesMax"/> bytes; empty when there is no directory.</summary>
    public ReadOnlySpan<byte> Name { get; init; }
}
