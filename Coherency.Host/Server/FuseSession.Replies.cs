using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;

namespace Coherency.Host.Server;

/// <summary>Replies that several operations share, and what they say about caching.</summary>
public sealed partial class FuseSession
{
    /// <param name="parent">The directory that the entry is in.</param>
    private fuse_entry_out BuildEntry(NodeId parent, in Entry entry)
    {
        TimeSpan entryTimeout = EntryTimeoutOf(parent, entry);
        TimeSpan attributeTimeout = CacheOf(entry.Node).EntryAttributeTimeout;
        return new fuse_entry_out
        {
            nodeid = entry.Node.Value,
            entry_valid = Seconds(entryTimeout),
            entry_valid_nsec = Nanoseconds(entryTimeout),
            attr_valid = Seconds(attributeTimeout),
            attr_valid_nsec = Nanoseconds(attributeTimeout),
            attr = AttributeEncoder.ToAttr(entry.Attributes, AttributeFlags(entry)),
        };
    }

    /// <summary>Node id 0: the name does not exist, and may be believed not to for the given time.</summary>
    private static fuse_entry_out BuildNegativeEntry(TimeSpan timeout) => new()
    {
        entry_valid = Seconds(timeout),
        entry_valid_nsec = Nanoseconds(timeout),
    };

    private uint AttributeFlags(in Entry entry) => AttributeFlags(entry.Attributes)
        | (entry.IsSubmount && _granted.HasFlag(FuseInitFlags.Submounts) ? (uint)FuseAttrFlags.Submount : 0);

    private uint AttributeFlags(in statx attributes) =>
        _mapped is not null && (attributes.stx_attributes & StatFlags.STATX_ATTR_DAX) != 0 ? (uint)FuseAttrFlags.Dax : 0;

    private void ReplyAttributes(FuseRequest request, in statx attributes, TimeSpan timeout) =>
        request.Reply(new fuse_attr_out
        {
            attr_valid = Seconds(timeout),
            attr_valid_nsec = Nanoseconds(timeout),
            attr = AttributeEncoder.ToAttr(attributes, AttributeFlags(attributes)),
        });

    private static Errno ReplyOnSuccess(FuseRequest request, Errno result)
    {
        if (result == Errno.None)
        {
            request.ReplySuccess();
        }

        return result;
    }

    private static ulong Seconds(TimeSpan time) => (ulong)time.TotalSeconds;

    private static uint Nanoseconds(TimeSpan time) => (uint)(time.Ticks % TimeSpan.TicksPerSecond * TimeSpan.NanosecondsPerTick);

    /// <summary>Who asks, for operations that create nothing.</summary>
    private static Caller CallerOf(FuseRequest request) => new(request.Uid, request.Gid, request.Pid, null, 0);

    /// <summary>Who asks, for operations that create: with the group and the security labels of extensions, if there are any.</summary>
    /// <param name="reader">Has read all arguments.</param>
    private bool TryReadCaller(FuseRequest request, ref FuseRequestReader reader, uint umask, out Caller caller)
    {
        ReadOnlySpan<byte> extensions = request.Extensions;
        if (extensions.IsEmpty && _granted.HasFlag(FuseInitFlags.SecurityCtx))
        {
            // Before Linux 6.3 the header did not say how long they are.
            _ = reader.TryReadBytes((uint)reader.Remaining, out extensions);
        }

        bool isWellFormed = FuseExtensions.TryRead(extensions, out uint? group, out SecurityLabel[]? labels);
        caller = new Caller(
            request.Uid, request.Gid, request.Pid, group, umask, _granted.HasFlag(FuseInitFlags.SecurityCtx) ? labels : null);
        return isWellFormed;
    }
}
