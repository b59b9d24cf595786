using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;
using Coherency.Host.Coherence.Holdings;

namespace Coherency.Host.Server;

/// <summary>Operations on attributes.</summary>
public sealed partial class FuseSession
{
    private Errno GetAttr(FuseRequest request, IFileSystem files)
    {
        FuseRequestReader reader = new(request);
        if (!reader.TryRead(out fuse_getattr_in arguments))
        {
            return reader.Error;
        }

        FileHandle? handle = HandleIf(arguments.getattr_flags, arguments.fh);
        HeldStart start = StartHolding();
        Errno error = files.GetAttributes(request.Node, handle, out statx attributes);
        if (error == Errno.None)
        {
            TimeSpan timeout = CacheOf(request.Node).AttributeTimeout;
            _held?.GiveAttributes(files, start, request.Node, timeout);
            ReplyAttributes(request, attributes, timeout);
        }

        return error;
    }

    private Errno Statx(FuseRequest request, IFileSystem files)
    {
        FuseRequestReader reader = new(request);
        if (!reader.TryRead(out fuse_statx_in arguments))
        {
            return reader.Error;
        }

        FileHandle? handle = HandleIf(arguments.getattr_flags, arguments.fh);
        HeldStart start = StartHolding();
        Errno error = files.GetAttributes(request.Node, handle, out statx attributes);
        if (error == Errno.None)
        {
            TimeSpan timeout = CacheOf(request.Node).AttributeTimeout;
            _held?.GiveAttributes(files, start, request.Node, timeout);
            request.Reply(new fuse_statx_out
            {
                attr_valid = Seconds(timeout),
                attr_valid_nsec = Nanoseconds(timeout),
                stat = AttributeEncoder.ToStatx(attributes),
            });
        }

        return error;
    }

    private Errno SetAttr(FuseRequest request, IFileSystem files)
    {
        FuseRequestReader reader = new(request);
        if (!reader.TryRead(out fuse_setattr_in arguments))
        {
            return reader.Error;
        }

        AttributeChange change = new()
        {
            Valid = (FuseSetAttrValid)arguments.valid,
            Handle = new FileHandle(arguments.fh),
            Mode = arguments.mode,
            Uid = arguments.uid,
            Gid = arguments.gid,
            Size = (long)arguments.size,
            AccessTime = new timespec { tv_sec = (long)arguments.atime, tv_nsec = arguments.atimensec },
            ModificationTime = new timespec { tv_sec = (long)arguments.mtime, tv_nsec = arguments.mtimensec },
        };
        HeldStart start = StartHolding();
        Errno error = files.SetAttributes(CallerOf(request), request.Node, change, out statx attributes);
        if (error == Errno.None)
        {
            TimeSpan timeout = CacheOf(request.Node).EntryAttributeTimeout;
            _held?.GiveAttributes(files, start, request.Node, timeout);
            ReplyAttributes(request, attributes, timeout);
        }

        return error;
    }

    private static Errno Access(FuseRequest request, IFileSystem files)
    {
        FuseRequestReader reader = new(request);
        if (!reader.TryRead(out fuse_access_in arguments))
        {
            return reader.Error;
        }

        return ReplyOnSuccess(request, files.CheckAccess(CallerOf(request), request.Node, arguments.mask));
    }

    private static Errno StatFs(FuseRequest request, IFileSystem files)
    {
        Errno error = files.GetStatistics(request.Node, out statfs statistics);
        if (error == Errno.None)
        {
            request.Reply(new fuse_statfs_out { st = AttributeEncoder.ToStatFs(statistics) });
        }

        return error;
    }

    private static FileHandle? HandleIf(uint flags, ulong handle) =>
        ((FuseGetAttrFlags)flags).HasFlag(FuseGetAttrFlags.Fh) ? new FileHandle(handle) : null;
}
