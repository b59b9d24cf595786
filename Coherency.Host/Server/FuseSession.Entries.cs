using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;

namespace Coherency.Host.Server;

/// <summary>Operations on names.</summary>
public sealed partial class FuseSession
{
    private Errno Lookup(FuseRequest request, IFileSystem files)
    {
        FuseRequestReader reader = new(request);
        if (!reader.TryReadEntryName(out EntryName name))
        {
            return reader.Error;
        }

        Errno error = files.Lookup(request.Node, name, out Entry entry);
        TimeSpan negativeTimeout = CacheOf(request.Node).NegativeTimeout;
        if (error == Errno.ENOENT && negativeTimeout > TimeSpan.Zero)
        {
            request.Reply(BuildNegativeEntry(negativeTimeout));
            return Errno.None;
        }

        return ReplyEntry(request, error, entry);
    }

    private static Errno Forget(FuseRequest request, IFileSystem files)
    {
        FuseRequestReader reader = new(request);
        if (reader.TryRead(out fuse_forget_in arguments))
        {
            files.Forget(request.Node, arguments.nlookup);
        }

        request.CompleteWithoutReply();
        return Errno.None;
    }

    private static Errno BatchForget(FuseRequest request, IFileSystem files)
    {
        FuseRequestReader reader = new(request);
        if (reader.TryRead(out fuse_batch_forget_in arguments))
        {
            for (uint i = 0; i < arguments.count && reader.TryRead(out fuse_forget_one one); i++)
            {
                files.Forget(new NodeId(one.nodeid), one.nlookup);
            }
        }

        request.CompleteWithoutReply();
        return Errno.None;
    }

    private static Errno ReadLink(FuseRequest request, IFileSystem files)
    {
        Span<byte> target = request.Scratch[..FuseLimits.SymlinkBytesMax];
        Errno error = files.ReadLink(request.Node, target, out int length);
        if (error == Errno.None)
        {
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

        if (!TryReadCaller(request, 0, out Caller caller))
        {
            return Errno.EINVAL;
        }

        return ReplyEntry(request, files.Symlink(caller, request.Node, name, target, out Entry entry), entry);
    }

    private Errno MkNod(FuseRequest request, IFileSystem files)
    {
        FuseRequestReader reader = new(request);
        if (!reader.TryRead(out fuse_mknod_in arguments) || !reader.TryReadEntryName(out EntryName name))
        {
            return reader.Error;
        }

        if (!TryReadCaller(request, arguments.umask, out Caller caller))
        {
            return Errno.EINVAL;
        }

        Errno error = files.MakeNode(caller, request.Node, name, arguments.mode, arguments.rdev, out Entry entry);
        return ReplyEntry(request, error, entry);
    }

    private Errno MkDir(FuseRequest request, IFileSystem files)
    {
        FuseRequestReader reader = new(request);
        if (!reader.TryRead(out fuse_mkdir_in arguments) || !reader.TryReadEntryName(out EntryName name))
        {
            return reader.Error;
        }

        if (!TryReadCaller(request, arguments.umask, out Caller caller))
        {
            return Errno.EINVAL;
        }

        return ReplyEntry(request, files.MakeDirectory(caller, request.Node, name, arguments.mode, out Entry entry), entry);
    }

    private static Errno Unlink(FuseRequest request, IFileSystem files)
    {
        FuseRequestReader reader = new(request);
        return reader.TryReadEntryName(out EntryName name)
            ? ReplyOnSuccess(request, files.Unlink(request.Node, name))
            : reader.Error;
    }

    private static Errno RmDir(FuseRequest request, IFileSystem files)
    {
        FuseRequestReader reader = new(request);
        return reader.TryReadEntryName(out EntryName name)
            ? ReplyOnSuccess(request, files.RemoveDirectory(request.Node, name))
            : reader.Error;
    }

    private static Errno Rename(FuseRequest request, IFileSystem files)
    {
        FuseRequestReader reader = new(request);
        return reader.TryRead(out fuse_rename_in arguments)
            ? Rename(request, files, ref reader, arguments.newdir, 0)
            : reader.Error;
    }

    private static Errno Rename2(FuseRequest request, IFileSystem files)
    {
        FuseRequestReader reader = new(request);
        return reader.TryRead(out fuse_rename2_in arguments)
            ? Rename(request, files, ref reader, arguments.newdir, arguments.flags)
            : reader.Error;
    }

    private static Errno Rename(FuseRequest request, IFileSystem files, ref FuseRequestReader reader, ulong newParent, uint flags)
    {
        if (!reader.TryReadEntryName(out EntryName name) || !reader.TryReadEntryName(out EntryName newName))
        {
            return reader.Error;
        }

        Caller caller = new(request.Uid, request.Gid, request.Pid, null, 0);
        return ReplyOnSuccess(request, files.Rename(caller, request.Node, name, new NodeId(newParent), newName, flags));
    }

    private Errno Link(FuseRequest request, IFileSystem files)
    {
        FuseRequestReader reader = new(request);
        if (!reader.TryRead(out fuse_link_in arguments) || !reader.TryReadEntryName(out EntryName name))
        {
            return reader.Error;
        }

        return ReplyEntry(request, files.Link(new NodeId(arguments.oldnodeid), request.Node, name, out Entry entry), entry);
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
