using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;
using Coherency.Host.Coherence.Holdings;

namespace Coherency.Host.Server;

/// <summary>Operations on names.</summary>
public sealed partial class FuseSession
{
    private Errno Lookup(FuseRequest request, IFileSystem files)
    {
        FuseRequestReader reader = new(request);
        if (!reader.TryReadLookupName(out EntryName name))
        {
            return reader.Error;
        }

        if (name.IsDotOrDotDot)
        {
            return LookupUnnamed(request, files, isParent: name.Length > 1);
        }

        HeldStart start = StartHolding();
        Errno error = files.Lookup(request.Node, name, out Entry entry);
        TimeSpan negativeTimeout = entry.HasSpellings ? TimeSpan.Zero : CacheOf(request.Node).NegativeTimeout;
        if (error == Errno.ENOENT)
        {
            _held?.GiveAbsent(files, start, request.Node, name.Bytes, negativeTimeout);
        }
        else if (error == Errno.None)
        {
            Hold(files, start, request.Node, name.Bytes, entry);
        }

        if (error == Errno.ENOENT && negativeTimeout > TimeSpan.Zero)
        {
            request.Reply(BuildNegativeEntry(negativeTimeout));
            return Errno.None;
        }

        return ReplyEntry(request, error, entry);
    }

    private Errno Forget(FuseRequest request, IFileSystem files)
    {
        FuseRequestReader reader = new(request);
        if (reader.TryRead(out fuse_forget_in arguments))
        {
            files.Forget(request.Node, arguments.nlookup);
            UnmapForgotten(files, request.Node);
            _held?.Forget(files, request.Node, arguments.nlookup);
        }

        request.CompleteWithoutReply();
        return Errno.None;
    }

    private Errno BatchForget(FuseRequest request, IFileSystem files)
    {
        FuseRequestReader reader = new(request);
        if (reader.TryRead(out fuse_batch_forget_in arguments))
        {
            for (uint i = 0; i < arguments.count && reader.TryRead(out fuse_forget_one one); i++)
            {
                files.Forget(new NodeId(one.nodeid), one.nlookup);
                UnmapForgotten(files, new NodeId(one.nodeid));
                _held?.Forget(files, new NodeId(one.nodeid), one.nlookup);
            }
        }

        request.CompleteWithoutReply();
        return Errno.None;
    }

    private Errno ReadLink(FuseRequest request, IFileSystem files)
    {
        Span<byte> target = request.Scratch[..FuseLimits.SymlinkBytesMax];
        HeldStart start = StartHolding();
        Errno error = files.ReadLink(request.Node, target, out int length);
        if (error == Errno.None)
        {
            HoldTarget(files, start, request.Node);
            request.Reply(target[..length]);
        }

        return error;
    }

    private Errno Symlink(FuseRequest request, IFileSystem files)
    {
        FuseRequestReader reader = new(request);
        if (!reader.TryReadEntryName(out EntryName name) || !reader.TryReadString(FuseLimits.SymlinkBytesMax, out EntryName target))
        {
            return reader.Error;
        }

        if (!TryReadCaller(request, ref reader, 0, out Caller caller))
        {
            return Errno.EINVAL;
        }

        HeldStart start = StartHolding();
        Errno error = files.Symlink(caller, request.Node, name, target, out Entry entry);
        return ReplyMade(request, files, start, name, error, entry);
    }

    private Errno MkNod(FuseRequest request, IFileSystem files)
    {
        FuseRequestReader reader = new(request);
        if (!reader.TryRead(out fuse_mknod_in arguments) || !reader.TryReadEntryName(out EntryName name))
        {
            return reader.Error;
        }

        if (!TryReadCaller(request, ref reader, arguments.umask, out Caller caller))
        {
            return Errno.EINVAL;
        }

        HeldStart start = StartHolding();
        Errno error = files.MakeNode(caller, request.Node, name, arguments.mode, arguments.rdev, out Entry entry);
        return ReplyMade(request, files, start, name, error, entry);
    }

    private Errno MkDir(FuseRequest request, IFileSystem files)
    {
        FuseRequestReader reader = new(request);
        if (!reader.TryRead(out fuse_mkdir_in arguments) || !reader.TryReadEntryName(out EntryName name))
        {
            return reader.Error;
        }

        if (!TryReadCaller(request, ref reader, arguments.umask, out Caller caller))
        {
            return Errno.EINVAL;
        }

        HeldStart start = StartHolding();
        Errno error = files.MakeDirectory(caller, request.Node, name, arguments.mode, out Entry entry);
        return ReplyMade(request, files, start, name, error, entry);
    }

    private Errno Unlink(FuseRequest request, IFileSystem files)
    {
        FuseRequestReader reader = new(request);
        return reader.TryReadEntryName(out EntryName name)
            ? ReplyRemoved(request, files, name, files.Unlink(request.Node, name))
            : reader.Error;
    }

    private Errno RmDir(FuseRequest request, IFileSystem files)
    {
        FuseRequestReader reader = new(request);
        return reader.TryReadEntryName(out EntryName name)
            ? ReplyRemoved(request, files, name, files.RemoveDirectory(request.Node, name))
            : reader.Error;
    }

    private Errno ReplyRemoved(FuseRequest request, IFileSystem files, EntryName name, Errno error)
    {
        if (error == Errno.None)
        {
            _held?.Removed(files, request.Node, name.Bytes);
        }

        return ReplyOnSuccess(request, error);
    }

    private Errno Rename(FuseRequest request, IFileSystem files)
    {
        FuseRequestReader reader = new(request);
        return reader.TryRead(out fuse_rename_in arguments)
            ? Rename(request, files, ref reader, arguments.newdir, 0)
            : reader.Error;
    }

    private Errno Rename2(FuseRequest request, IFileSystem files)
    {
        FuseRequestReader reader = new(request);
        return reader.TryRead(out fuse_rename2_in arguments)
            ? Rename(request, files, ref reader, arguments.newdir, arguments.flags)
            : reader.Error;
    }

    private Errno Rename(FuseRequest request, IFileSystem files, ref FuseRequestReader reader, ulong newParent, uint flags)
    {
        if (!reader.TryReadEntryName(out EntryName name) || !reader.TryReadEntryName(out EntryName newName))
        {
            return reader.Error;
        }

        HeldStart start = StartHolding();
        Errno error = files.Rename(CallerOf(request), request.Node, name, new NodeId(newParent), newName, flags);
        if (error == Errno.None)
        {
            bool exchanges = (flags & OpenFlags.RENAME_EXCHANGE) != 0;
            _held?.Renamed(files, start, request.Node, name.Bytes, new NodeId(newParent), newName.Bytes, exchanges);
        }

        return ReplyOnSuccess(request, error);
    }

    private Errno Link(FuseRequest request, IFileSystem files)
    {
        FuseRequestReader reader = new(request);
        if (!reader.TryRead(out fuse_link_in arguments) || !reader.TryReadEntryName(out EntryName name))
        {
            return reader.Error;
        }

        HeldStart start = StartHolding();
        Errno error = files.Link(new NodeId(arguments.oldnodeid), request.Node, name, out Entry entry);
        return ReplyMade(request, files, start, name, error, entry);
    }

    private Errno ReplyMade(FuseRequest request, IFileSystem files, in HeldStart start, EntryName name, Errno error, in Entry entry)
    {
        if (error == Errno.None)
        {
            HoldMade(files, start, request.Node, name.Bytes, entry);
        }

        return ReplyEntry(request, error, entry);
    }

    private Errno ReplyEntry(FuseRequest request, Errno error, in Entry entry)
    {
        if (error == Errno.None)
        {
            request.Reply(BuildEntry(request.Node, entry));
        }

        return error;
    }
}
