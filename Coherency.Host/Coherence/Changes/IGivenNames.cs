using Coherency.Core.Fuse;

namespace Coherency.Host.Coherence.Changes;

/// <summary>The names that a client was given for inodes.</summary>
public interface IGivenNames
{
    /// <summary>Finds the name that an inode was given last.</summary>
    /// <param name="name">Room for <see cref="EntryName.BytesMax"/>.</param>
    /// <param name="directory">Key of the directory that it is in; 0 when the client was given none that it may know still.</param>
    /// <returns>Nobody has changed the name since.</returns>
    bool TryFindName(NodeId node, Span<byte> name, out int length, out ulong directory);
}
