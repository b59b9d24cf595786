using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Host.Server;

namespace Coherency.Host.Passthrough;

// Reading directories.
public sealed unsafe partial class PassthroughFileSystem
{
    private const int DirectoryBufferBytes = 64 * 1024;
    private const int SeekSet = 0;

    /// <summary>Of this thread, on the pinned heap; a request fills and empties it before it returns.</summary>
    [ThreadStatic]
    private static byte[]? _directoryBuffer;

    [ThreadStatic]
    private static DirectoryCursor? _requestCursor;

    public Errno OpenDirectory(NodeId node, out FileHandle handle)
    {
        handle = default;
        if (_withoutOpens)
        {
            return Errno.ENOSYS;
        }

        PinnedInode inode = Pin(node);
        Errno errno = inode.IsEmpty ? Errno.ESTALE : inode.IsDirectory ? _handles.Reserve() : Errno.ENOTDIR;
        if (errno == Errno.None)
        {
            int fd = _share.OpenReal(inode, OpenFlags.O_RDONLY | OpenFlags.O_DIRECTORY);
            errno = fd.ToErrno();
            if (fd >= 0)
            {
                handle = _handles.Add(fd, HandleKind.Directory, ref inode, 0);
            }
            else
            {
                _handles.CancelReservation();
            }
        }

        inode.Dispose();
        return errno;
    }

    public Errno ReleaseDirectory(FileTarget directory) =>
        IsByNode(directory) || _handles.Close(directory.Handle, HandleKind.Directory) ? Errno.None : Errno.EBADF;

    public Errno SyncDirectory(FileTarget directory, bool dataOnly)
    {
        using FileUse use = UseDirectory(directory);
        return Sync(use, dataOnly);
    }

    public Errno ReadDirectory(FileTarget directory, long offset, bool plus, IDirectorySink sink)
    {
        using FileUse use = UseDirectory(directory);
        if (use.Errno != Errno.None)
        {
            return use.Errno;
        }

        DirectoryCursor cursor = use.Opened?.Cursor ?? StartCursor();
        using PinnedInode inode = _share.Inodes.Pin(use.Node);
        bool hasSpellings = plus && _share.FoldsNames(inode);
        lock (cursor.Lock)
        {
            return ReadDirectory(use, cursor, offset, plus, hasSpellings, sink);
        }
    }

    /// <summary>The position of a descriptor that was opened for this request.</summary>
    private static DirectoryCursor StartCursor()
    {
        DirectoryCursor cursor = _requestCursor ??= new DirectoryCursor();
        cursor.Reset();
        return cursor;
    }

    /// <param name="hasSpellings">As <see cref="Entry.HasSpellings"/>, of all entries.</param>
    private Errno ReadDirectory(
        in FileUse directory, DirectoryCursor cursor, long offset, bool plus, bool hasSpellings, IDirectorySink sink)
    {
        byte[] buffer = _directoryBuffer ??= GC.AllocateUninitializedArray<byte>(DirectoryBufferBytes, pinned: true);
        // SAFETY: the array is on the pinned heap and stays referenced by this thread. DirectoryBufferBytes is the most
        // that the kernel is asked for, or that a cursor has kept of that.
        byte* start = (byte*)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(buffer));
        int delivered = 0;
        ulong numberMask = _share.Numbers.MaskOf(directory.Fd, _showsMounts);
        while (true)
        {
            long read = ReadRecords(directory.Fd, cursor, offset, start);
            if (read <= 0)
            {
                // Entries before an error are an answer; the error shows when it is asked for the rest.
                return delivered > 0 ? Errno.None : read.ToErrno();
            }

            int taken = Deliver(directory, start, (int)read, plus, hasSpellings, numberMask, sink, ref offset);
            delivered += taken;
            if (taken < read)
            {
                if (offset < 0)
                {
                    cursor.KeepRest(offset, new ReadOnlySpan<byte>(start + taken, (int)read - taken));
                }

                // Full. The next reply has about as much room: do not ask the kernel for much more than that.
                cursor.ReadBytes = Math.Clamp(delivered + (delivered / 8), DirectoryCursor.ReadBytesMin, DirectoryBufferBytes);
                return Errno.None;
            }

            cursor.ReadBytes = Math.Min(cursor.ReadBytes * 2, DirectoryBufferBytes);
        }
    }

    /// <summary>Reads records from a position on; the descriptor is often there already.</summary>
    private static long ReadRecords(int fd, DirectoryCursor cursor, long offset, byte* buffer)
    {
        if (cursor.Position != offset)
        {
            int rest = cursor.TakeRest(offset, new Span<byte>(buffer, DirectoryBufferBytes));
            if (rest > 0)
            {
                return rest;
            }

            if (offset < 0)
            {
                return ReadFromStart(fd, cursor, offset, buffer);
            }

            long result = Libc.LSeek(fd, offset, SeekSet);
            if (result < 0)
            {
                return result;
            }

            cursor.Position = offset;
        }

        long read = Libc.GetDents64(fd, buffer, (nuint)cursor.ReadBytes);
        if (read > 0)
        {
            cursor.Position = LastOffset(buffer, (int)read);
        }

        return read;
    }

    /// <summary>
    /// Reads records from a position on that uses all 64 bits, as those of NFS may: lseek(2) refuses what is negative. ESTALE when the
    /// entry before it has been removed.
    /// </summary>
    private static long ReadFromStart(int fd, DirectoryCursor cursor, long offset, byte* buffer)
    {
        long read = Libc.LSeek(fd, 0, SeekSet);
        while (read >= 0)
        {
            read = Libc.GetDents64(fd, buffer, DirectoryBufferBytes);
            if (read == 0)
            {
                return -(int)Errno.ESTALE;
            }

            int end = read > 0 ? FindEnd(buffer, (int)read, offset) : 0;
            if (end > 0)
            {
                cursor.Position = LastOffset(buffer, (int)read);
                Span<byte> records = new(buffer, (int)read);
                records[end..].CopyTo(records);
                return end < read ? read - end : ReadRecords(fd, cursor, offset, buffer);
            }
        }

        return read;
    }

    /// <summary>Where the record ends that a position is behind; 0 if there is none.</summary>
    // SAFETY (all of these): length bytes of whole records, as the kernel has written them or a cursor has kept them.
    // Each begins where the one before it ends, and has its fixed part and a NUL (getdents64(2)); the struct asks for
    // no alignment.
    private static int FindEnd(byte* buffer, int length, long offset)
    {
        int at = 0;
        while (at < length)
        {
            DirectoryRecord* record = (DirectoryRecord*)(buffer + at);
            at += record->RecordLength;
            if (record->NextOffset == offset)
            {
                return at;
            }
        }

        return 0;
    }

    private static long LastOffset(byte* buffer, int length)
    {
        long last = 0;
        for (int at = 0; at < length; at += ((DirectoryRecord*)(buffer + at))->RecordLength)
        {
            last = ((DirectoryRecord*)(buffer + at))->NextOffset;
        }

        return last;
    }

    /// <summary>Feeds records to the sink as long as there is room; returns how many bytes of records it took.</summary>
    private int Deliver(
        in FileUse directory, byte* buffer, int length, bool plus, bool hasSpellings, ulong numberMask, IDirectorySink sink,
        ref long offset)
    {
        int at = 0;
        while (at < length)
        {
            DirectoryRecord* record = (DirectoryRecord*)(buffer + at);
            EntryName name = new(buffer + at + DirectoryRecord.NameOffset, NameLength(record));
            if (!sink.HasRoom(name.Length))
            {
                break;
            }

            DirectoryPosition position = new(InodeNumber(directory, record, name) ^ numberMask, record->Type, record->NextOffset);
            if (plus)
            {
                Entry entry = LookUpListed(directory, position, name, hasSpellings);
                sink.AddPlus(position, name.Bytes, entry);
            }
            else
            {
                sink.Add(position, name.Bytes);
            }

            at += record->RecordLength;
            offset = record->NextOffset;
        }

        return at;
    }

    /// <summary>
    /// Looks up an entry of a listing. One that cannot be is listed all the same, without attributes: whoever asks for it
    /// by name then gets the reason. So is one of another mount, which may not answer: only those who ask for it wait.
    /// </summary>
    private Entry LookUpListed(in FileUse directory, in DirectoryPosition position, EntryName name, bool hasSpellings)
    {
        if (!name.IsDotOrDotDot
            && _share.Resolver.ResolveIn(directory.Mount, directory.Fd, name.Pointer, out statx attributes,
            out PinnedInode inode) == Errno.None)
        {
            Errno errno = Grant(ref inode, attributes, directory.Mount, hasSpellings, out Entry entry);
            inode.Dispose();
            if (errno == Errno.None)
            {
                return entry;
            }
        }

        Entry plain = default;
        plain.Attributes.stx_ino = position.Ino;
        plain.Attributes.stx_mode = (ushort)(position.Type << 12);
        return plain;
    }

    /// <summary>The root's ".." shows the root itself: what is above is not the guest's business.</summary>
    private ulong InodeNumber(in FileUse directory, DirectoryRecord* record, EntryName name)
    {
        if (directory.Node != _share.RootKey || !name.Bytes.SequenceEqual(".."u8))
        {
            return record->Ino;
        }

        return _share.RootIno;
    }

    private static int NameLength(DirectoryRecord* record)
    {
        byte* name = (byte*)record + DirectoryRecord.NameOffset;
        return new ReadOnlySpan<byte>(name, record->RecordLength - DirectoryRecord.NameOffset).IndexOf((byte)0);
    }

    /// <summary>struct linux_dirent64, before the NUL-terminated name.</summary>
    [StructLayout(LayoutKind.Sequential, Pack = 1, Size = NameOffset)]
    private struct DirectoryRecord
    {
        public const int NameOffset = 19;

        public ulong Ino;
        public long NextOffset;
        public ushort RecordLength;
        public byte Type;
    }
}
