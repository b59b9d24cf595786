using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;

namespace Coherency.Guest.Fuse;

/// <summary>
/// Typed synchronous FUSE operations: one method per operation, structs as they are on the wire. Thread-safe; a thread whose
/// request waits (a blocking lock) does not hold up the others. An error reply is a <see cref="FuseException"/>.
/// </summary>
/// <remarks>Names are bytes, sent as they are: this client checks nothing, so that tests can send what a guest must not.</remarks>
public sealed partial class FuseClient(FuseConnection connection, CallerIdentity? caller = null)
{
    public FuseConnection Connection { get; } = connection;

    /// <summary>On whose behalf requests go out.</summary>
    public CallerIdentity Caller { get; } = caller ?? CallerIdentity.Root;

    /// <summary>The same session on behalf of somebody else.</summary>
    public FuseClient As(CallerIdentity caller) => new(Connection, caller);

    /// <summary>Begins a request that this type has no method for.</summary>
    public Exchange Begin(FuseOpcode opcode, NodeId node) => Connection.Begin(opcode, node, Caller);

    /// <summary>Appends the labels of what is created, and the group that should own it, where the daemon takes it.</summary>
    private void AppendExtensions(in Exchange exchange)
    {
        if (!Caller.Labels.IsEmpty)
        {
            exchange.Slot.Extension(Caller.Labels.Span);
        }

        if (Caller.SupplementaryGroup is { } group && Connection.Flags.HasFlag(FuseInitFlags.CreateSuppGroup))
        {
            exchange.Slot.GroupExtension(group);
        }
    }

    /// <summary>The umask is the daemon's business where it agreed to that (default ACLs decide), and the guest's otherwise.</summary>
    private uint CreationMode(uint mode) =>
        Connection.Flags.HasFlag(FuseInitFlags.DontMask) ? mode : mode & ~Caller.Umask;

    private fuse_entry_out CallForEntry(in Exchange exchange)
    {
        AppendExtensions(exchange);
        return exchange.Call<fuse_entry_out>();
    }
}

/// <summary>A file made and opened in one request.</summary>
public readonly record struct CreatedFile(fuse_entry_out Entry, fuse_open_out Opened)
{
    public NodeId Node => new(Entry.nodeid);

    public FileHandle Handle => new(Opened.fh);
}
