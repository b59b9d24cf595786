using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;
using Coherency.Host.Coherence.Holdings;

namespace Coherency.Host.Server;

/// <summary>Operations on open files.</summary>
public sealed unsafe partial class FuseSession
{
    private Errno Open(FuseRequest request, IFileSystem files)
    {
        FuseRequestReader reader = new(request);
        if (!reader.TryRead(out fuse_open_in arguments))
        {
            return reader.Error;
        }

        Errno error = files.Open(
            CallerOf(request), request.Node, OpenFlagsOf(arguments.flags), KillsSuidGid(arguments.open_flags), out FileHandle handle);
        if (error == Errno.None)
        {
            request.Reply(new fuse_open_out { fh = handle.Value, open_flags = (uint)CacheOf(request.Node).FileFlags });
        }

        return error;
    }

    private Errno Create(FuseRequest request, IFileSystem files)
    {
        FuseRequestReader reader = new(request);
        if (!reader.TryRead(out fuse_create_in arguments) || !reader.TryReadEntryName(out EntryName name))
        {
            return reader.Error;
        }

        if (!TryReadCaller(request, ref reader, arguments.umask, out Caller caller))
        {
            return Errno.EINVAL;
        }

        HeldStart start = StartHolding();
        Errno error = files.Create(
            caller,
            request.Node,
            name,
            OpenFlagsOf(arguments.flags),
            arguments.mode,
            KillsSuidGid(arguments.open_flags),
            out Entry entry,
            out FileHandle handle);
        if (error == Errno.None)
        {
            HoldMade(files, start, request.Node, name.Bytes, entry);
        }

        return ReplyCreated(request, error, entry, handle);
    }

    private Errno TmpFile(FuseRequest request, IFileSystem files)
    {
        FuseRequestReader reader = new(request);
        if (!reader.TryRead(out fuse_create_in arguments))
        {
            return reader.Error;
        }

        // Linux sends a name, which means nothing.
        _ = reader.TryReadString(EntryName.BytesMax, out _);

        if (!TryReadCaller(request, ref reader, arguments.umask, out Caller caller))
        {
            return Errno.EINVAL;
        }

        HeldStart start = StartHolding();
        Errno error = files.CreateTemporary(
            caller, request.Node, OpenFlagsOf(arguments.flags), arguments.mode, out Entry entry, out FileHandle handle);
        if (error == Errno.None)
        {
            HoldUnnamed(files, start, entry);
        }

        return ReplyCreated(request, error, entry, handle);
    }

    private Errno Read(FuseRequest request, IFileSystem files)
    {
        FuseRequestReader reader = new(request);
        if (!reader.TryRead(out fuse_read_in arguments))
        {
            return reader.Error;
        }

        // SAFETY: the list stays until the request is answered, and so does the client's memory that it names, but for
        // what is in it.
        IoVec* vectors = request.PayloadTarget(arguments.size, out int count);
        FileTarget file = Target(request, arguments.fh, OpenFlagsOf(arguments.flags));
        Errno error = files.Read(file, vectors, count, (long)arguments.offset, mayWait: false, out long bytes);
        if (error == Errno.EAGAIN)
        {
            request.Channel.StepAside(request);
            error = files.Read(file, vectors, count, (long)arguments.offset, mayWait: true, out bytes);
        }

        if (error == Errno.None)
        {
            Counters.CountRead(bytes);
            request.ReplyInPlace(bytes);
        }

        return error;
    }

    private Errno Write(FuseRequest request, IFileSystem files)
    {
        FuseRequestReader reader = new(request);
        if (!reader.TryRead(out fuse_write_in arguments) || arguments.size != request.PayloadLength
            || arguments.size > FuseLimits.PayloadBytesMax)
        {
            return Errno.EINVAL;
        }

        // SAFETY: as in Read.
        IoVec* vectors = request.PayloadSource(out int count);
        FuseWriteFlags flags = (FuseWriteFlags)arguments.write_flags;
        FileTarget file = Target(request, arguments.fh, OpenFlagsOf(arguments.flags));
        uint beyondEnd = 0;
        if (flags.HasFlag(FuseWriteFlags.Cache) && !_granted.HasFlag(FuseInitFlags.WritebackCache))
        {
            beyondEnd = BytesBeyondEnd(files, file, arguments);
            count = TakeBack(vectors, count, beyondEnd);
        }

        Errno error = files.Write(CallerOf(request), file, vectors, count, (long)arguments.offset, flags, out long bytes);
        if (error == Errno.None)
        {
            Counters.CountWritten(bytes);
            request.Reply(new fuse_write_out { size = (uint)bytes + beyondEnd });
        }

        return error;
    }

    /// <summary>
    /// Unless clients keep sizes, only mapped pages are written from their caches, which never makes a file longer. What a page has
    /// beyond the end, another client has cut off since it was stored to.
    /// </summary>
    private static uint BytesBeyondEnd(IFileSystem files, FileTarget file, in fuse_write_in write)
    {
        Errno error = files.GetAttributes(file.Node, file.HasHandle ? file.Handle : null, out statx attributes);
        ulong end = write.offset + write.size;
        return error != Errno.None || end <= attributes.stx_size ? 0 : (uint)Math.Min(write.size, end - attributes.stx_size);
    }

    /// <returns>How many vectors are left.</returns>
    // SAFETY: the vectors are the request's list of its payload, count of them, which nobody else has
    // (FuseRequest.PayloadSource).
    private static int TakeBack(IoVec* vectors, int count, uint bytes)
    {
        while (count > 0 && bytes > 0)
        {
            nuint part = Math.Min(bytes, vectors[count - 1].Length);
            vectors[count - 1].Length -= part;
            bytes -= (uint)part;
            count -= vectors[count - 1].Length == 0 ? 1 : 0;
        }

        return count;
    }

    private Errno Flush(FuseRequest request, IFileSystem files)
    {
        FuseRequestReader reader = new(request);
        if (!reader.TryRead(out fuse_flush_in arguments))
        {
            return reader.Error;
        }

        NodeId node = request.Node;
        Errno result = ReplyOnSuccess(request, files.Flush(Target(request, arguments.fh), arguments.lock_owner));
        _lockWaits.LocksMayBeFree(node, this);
        return result;
    }

    private Errno Release(FuseRequest request, IFileSystem files)
    {
        FuseRequestReader reader = new(request);
        if (!reader.TryRead(out fuse_release_in arguments))
        {
            return reader.Error;
        }

        NodeId node = request.Node;
        Errno error = files.Release(Target(request, arguments.fh), (FuseReleaseFlags)arguments.release_flags, arguments.lock_owner);
        Errno result = ReplyOnSuccess(request, error);
        _lockWaits.LocksMayBeFree(node);
        return result;
    }

    private static Errno Fsync(FuseRequest request, IFileSystem files)
    {
        FuseRequestReader reader = new(request);
        return reader.TryRead(out fuse_fsync_in arguments)
            ? ReplyOnSuccess(request, files.Sync(Target(request, arguments.fh), IsDataOnly(arguments.fsync_flags)))
            : reader.Error;
    }

    private static Errno SyncFs(FuseRequest request, IFileSystem files) =>
        ReplyOnSuccess(request, files.SyncFileSystem(request.Node));

    private static Errno Fallocate(FuseRequest request, IFileSystem files)
    {
        FuseRequestReader reader = new(request);
        if (!reader.TryRead(out fuse_fallocate_in arguments))
        {
            return reader.Error;
        }

        FileTarget file = Target(request, arguments.fh);
        return ReplyOnSuccess(
            request, files.Allocate(CallerOf(request), file, (int)arguments.mode, (long)arguments.offset, (long)arguments.length));
    }

    private static Errno LSeek(FuseRequest request, IFileSystem files)
    {
        FuseRequestReader reader = new(request);
        if (!reader.TryRead(out fuse_lseek_in arguments))
        {
            return reader.Error;
        }

        Errno error = files.Seek(Target(request, arguments.fh), (long)arguments.offset, (int)arguments.whence, out long position);
        if (error == Errno.None)
        {
            request.Reply(new fuse_lseek_out { offset = (ulong)position });
        }

        return error;
    }

    private static Errno CopyFileRange(FuseRequest request, IFileSystem files)
    {
        FuseRequestReader reader = new(request);
        if (!reader.TryRead(out fuse_copy_file_range_in arguments) || arguments.flags != 0)
        {
            return Errno.EINVAL;
        }

        // The older reply counts in 32 bits.
        bool isWide = request.Opcode == FuseOpcode.CopyFileRange64;
        FileTarget target = new(new NodeId(arguments.nodeid_out), new FileHandle(arguments.fh_out));
        ulong length = Math.Min(arguments.len, isWide ? long.MaxValue : (ulong)int.MaxValue);
        Errno error = files.CopyRange(
            CallerOf(request),
            Target(request, arguments.fh_in),
            (long)arguments.off_in,
            target,
            (long)arguments.off_out,
            length,
            out long copied);
        if (error != Errno.None)
        {
            return error;
        }

        if (isWide)
        {
            request.Reply(new fuse_copy_file_range_out { bytes_copied = (ulong)copied });
        }
        else
        {
            request.Reply(new fuse_write_out { size = (uint)copied });
        }

        return Errno.None;
    }

    private Errno ReplyCreated(FuseRequest request, Errno error, in Entry entry, FileHandle handle)
    {
        if (error == Errno.None)
        {
            fuse_entry_out made = BuildEntry(request.Node, entry);
            if (request.Opcode == FuseOpcode.TmpFile)
            {
                // No name leads to it, so there is nothing to look up again. overlayfs goes on with it when it has linked the file.
                made.entry_valid = Seconds(CoherentCache.EntryTimeout);
            }

            request.Reply(new EntryAndOpen
            {
                Entry = made,
                Open = new fuse_open_out { fh = handle.Value, open_flags = (uint)CacheOf(entry.Node).FileFlags },
            });
        }

        return error;
    }

    /// <param name="openFlags">O_* that the client's open file has now, where the request tells.</param>
    private static FileTarget Target(FuseRequest request, ulong handle, int openFlags = 0) =>
        new(request.Node, new FileHandle(handle), openFlags);

    /// <summary>O_* of a request, without what is not passed on.</summary>
    private int OpenFlagsOf(uint flags) => _options.PreserveNoatime ? (int)flags : (int)flags & ~OpenFlags.O_NOATIME;

    private static bool KillsSuidGid(uint openFlags) => ((FuseOpenInFlags)openFlags).HasFlag(FuseOpenInFlags.KillSuidgid);

    private static bool IsDataOnly(uint fsyncFlags) => ((FuseFsyncFlags)fsyncFlags).HasFlag(FuseFsyncFlags.Fdatasync);

    /// <summary>Reply of CREATE and TMPFILE: both structs, one after the other.</summary>
    private struct EntryAndOpen
    {
        public fuse_entry_out Entry;
        public fuse_open_out Open;
    }
}
