using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;
using Coherency.Host.Coherence.Holdings;

namespace Coherency.Host.Server;

/// <summary>Operations on open directories.</summary>
public sealed partial class FuseSession
{
    [ThreadStatic]
    private static DirectoryReply? _directoryReply;

    private Errno OpenDir(FuseRequest request, IFileSystem files)
    {
        FuseRequestReader reader = new(request);
        if (!reader.TryRead(out fuse_open_in _))
        {
            return reader.Error;
        }

        Errno error = files.OpenDirectory(request.Node, out FileHandle handle);
        if (error == Errno.None)
        {
            request.Reply(new fuse_open_out { fh = handle.Value, open_flags = (uint)CacheOf(request.Node).DirectoryFlags });
        }

        return error;
    }

    private Errno ReadDir(FuseRequest request, IFileSystem files, bool plus)
    {
        FuseRequestReader reader = new(request);
        if (!reader.TryRead(out fuse_read_in arguments))
        {
            return reader.Error;
        }

        DirectoryReply reply = _directoryReply ??= new DirectoryReply();
        HeldStart start = StartHolding();
        reply.Begin(this, files, start, request, arguments.size, plus);
        Errno error = files.ReadDirectory(Target(request, arguments.fh), (long)arguments.offset, plus, reply);
        if (error == Errno.None)
        {
            HoldListing(files, start, request.Node, arguments.offset);
            request.Reply(reply.Bytes);
        }

        return error;
    }

    private static Errno ReleaseDir(FuseRequest request, IFileSystem files)
    {
        FuseRequestReader reader = new(request);
        return reader.TryRead(out fuse_release_in arguments)
            ? ReplyOnSuccess(request, files.ReleaseDirectory(Target(request, arguments.fh)))
            : reader.Error;
    }

    private static Errno FsyncDir(FuseRequest request, IFileSystem files)
    {
        FuseRequestReader reader = new(request);
        return reader.TryRead(out fuse_fsync_in arguments)
            ? ReplyOnSuccess(request, files.SyncDirectory(Target(request, arguments.fh), IsDataOnly(arguments.fsync_flags)))
            : reader.Error;
    }

    /// <summary>Packs entries into a READDIR or READDIRPLUS reply; one per thread, reused.</summary>
    // SAFETY: records are spans of the request's scratch, of which no more is taken than HasRoom has found; writing
    // more would throw.
    private sealed unsafe class DirectoryReply : IDirectorySink
    {
        private FuseSession? _session;
        private FuseRequest? _request;
        private IFileSystem? _files;
        private HeldStart _start;
        private int _fixedBytes;
        private int _capacity;
        private int _length;

        public ReadOnlySpan<byte> Bytes => _request!.Scratch[.._length];

        public void Begin(FuseSession session, IFileSystem files, in HeldStart start, FuseRequest request, uint size, bool plus)
        {
            _session = session;
            _request = request;
            _files = files;
            _start = start;
            _fixedBytes = plus ? sizeof(fuse_direntplus) : sizeof(fuse_dirent);
            _capacity = (int)Math.Min(Math.Min(size, Math.Max(0, request.ReplyCapacity)), FuseLimits.ScratchBytesMax);
            _length = 0;
        }

        public bool HasRoom(int nameBytes) => RecordBytes(nameBytes) <= _capacity - _length;

        public void Add(in DirectoryPosition position, ReadOnlySpan<byte> name)
        {
            Span<byte> record = NextRecord(name.Length);
            Write(record, position, name);
        }

        public void AddPlus(in DirectoryPosition position, ReadOnlySpan<byte> name, in Entry entry)
        {
            Span<byte> record = NextRecord(name.Length);
            fuse_entry_out encoded = default;
            if (entry.Node.Value != 0)
            {
                encoded = _session!.BuildEntry(_request!.Node, entry);
                _session.Hold(_files!, _start, _request.Node, name, entry);
            }

            System.Runtime.InteropServices.MemoryMarshal.Write(record, encoded);
            Write(record[sizeof(fuse_entry_out)..], position, name);
        }

        private int RecordBytes(int nameBytes) => (_fixedBytes + nameBytes + 7) & ~7;

        private Span<byte> NextRecord(int nameBytes)
        {
            int bytes = RecordBytes(nameBytes);
            Span<byte> record = _request!.Scratch.Slice(_length, bytes);
            _length += bytes;
            return record;
        }

        private static void Write(Span<byte> record, in DirectoryPosition position, ReadOnlySpan<byte> name)
        {
            fuse_dirent header = new()
            {
                ino = position.Ino,
                off = (ulong)position.NextOffset,
                namelen = (uint)name.Length,
                type = position.Type,
            };
            System.Runtime.InteropServices.MemoryMarshal.Write(record, header);
            name.CopyTo(record[sizeof(fuse_dirent)..]);
            record[(sizeof(fuse_dirent) + name.Length)..].Clear();
        }
    }
}
