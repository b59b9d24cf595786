using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Host.Coherence.Holdings;

namespace Coherency.Host.Server;

/// <summary>Writes down what the client is given, before it is: nothing of it can come back earlier.</summary>
public sealed partial class FuseSession
{
    /// <summary>What the client may hold now; null when that is not recorded.</summary>
    public HeldEntries? Held => _held;

    private HeldStart StartHolding() => _held?.Start() ?? default;

    private void Hold(IFileSystem files, in HeldStart start, NodeId parent, ReadOnlySpan<byte> name, in Entry entry)
    {
        if (_held is not null)
        {
            TimeSpan nameTimeout = EntryTimeoutOf(parent, entry);
            _held.Give(files, start, parent, name, entry.Node, TypeOf(entry), nameTimeout, CacheOf(entry.Node).EntryAttributeTimeout);
        }
    }

    /// <summary>The client made the name itself.</summary>
    private void HoldMade(IFileSystem files, in HeldStart start, NodeId parent, ReadOnlySpan<byte> name, in Entry entry)
    {
        if (_held is not null)
        {
            _held.ChangedDirectory(files, parent);
            Hold(files, start, parent, name, entry);
        }
    }

    private void HoldUnnamed(IFileSystem files, in HeldStart start, in Entry entry) =>
        _held?.GiveUnnamed(files, start, entry.Node, TypeOf(entry), CacheOf(entry.Node).EntryAttributeTimeout);

    /// <summary>A symlink's target, where the client was allowed to keep targets.</summary>
    private void HoldTarget(IFileSystem files, in HeldStart start, NodeId node)
    {
        if (_granted.HasFlag(FuseInitFlags.CacheSymlinks) && !node.IsDisplaced)
        {
            _held?.GiveContent(files, start, node);
        }
    }

    /// <summary>A listing, of which the client keeps the parts together: it is as old as the first.</summary>
    private void HoldListing(IFileSystem files, in HeldStart start, NodeId directory, ulong offset)
    {
        if (offset == 0 && CacheOf(directory).DirectoryFlags.HasFlag(FuseOpenReplyFlags.CacheDir))
        {
            _held?.GiveContent(files, start, directory);
        }
    }

    private TimeSpan EntryTimeoutOf(NodeId parent, in Entry entry) =>
        parent.IsDisplaced || entry.HasSpellings ? TimeSpan.Zero : CacheOf(entry.Node).EntryTimeout;

    private static uint TypeOf(in Entry entry) => (uint)entry.Attributes.stx_mode & StatFlags.S_IFMT;
}
