using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;
using System.Text;
using Coherency.Core.Linux;
using Coherency.Core.Versioning.Abi;
using Microsoft.Win32.SafeHandles;

namespace Coherency.Core.Versioning;

/// <summary>The file behind a version table, mapped. The file may be one without a name (memfd).</summary>
internal sealed unsafe class VersionTableMemory : IDisposable
{
    /// <summary>Everybody may read: QEMU often runs as another user. A table tells that something changed, not what.</summary>
    private const uint FileMode = 0x1A4;

    private readonly SafeFileHandle _file;
    private readonly MemoryMappedFile _mapping;
    private readonly MemoryMappedViewAccessor _view;
    private readonly int _guard = -1;
    // SAFETY: the view's first byte, at a page, mapped until Dispose. The file has Bytes: at least a header
    // (MapForReading), or header and slots (Map). Where somebody else who can write to it, a VMM that it was given to say,
    // makes it shorter, MissingPages puts other pages there; of a table that is read, its writer is trusted not to.
    private readonly byte* _start;

    private VersionTableMemory(SafeFileHandle file, long bytes, MemoryMappedFileAccess access)
    {
        _file = file;
        Bytes = bytes;
        _mapping = MemoryMappedFile.CreateFromFile(file, null, bytes, access, HandleInheritability.None, leaveOpen: true);
        _view = _mapping.CreateViewAccessor(0, bytes, access);
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref _start);
        if (access == MemoryMappedFileAccess.ReadWrite)
        {
            _guard = MissingPages.Guard(_start, (nuint)bytes, () => Lost?.Invoke());
        }
    }

    /// <summary>
    /// On another thread: somebody has made the file shorter under the writer, which goes on in memory that nobody else sees.
    /// </summary>
    public event Action? Lost;

    public long Bytes { get; }

    /// <summary>The descriptor, to be passed on to a VMM; stays this object's.</summary>
    public int Fd => (int)_file.DangerousGetHandle();

    public coherency_table_header* Header => (coherency_table_header*)_start;

    public ulong* Slots => (ulong*)(_start + VersionTableConstants.HeaderBytes);

    /// <summary>Memory without a name, full of zeros.</summary>
    public static VersionTableMemory CreateAnonymous(string name, long slotCount)
    {
        int fd = LinuxException.Check(Libc.MemFdCreate(name, MemoryFlags.MFD_CLOEXEC), "memfd_create");
        SafeFileHandle file = new(fd, ownsHandle: true);
        return Map(file, slotCount, name);
    }

    /// <summary>A file that only this process writes to; made if there is none, as it is when there is one.</summary>
    /// <exception cref="VersionTableException">It is another's, in use by another daemon, or of another size.</exception>
    public static VersionTableMemory OpenForWriting(string path, long slotCount)
    {
        SafeFileHandle file = Open(path, OpenFlags.O_RDWR | OpenFlags.O_CREAT | OpenFlags.O_NOFOLLOW);
        try
        {
            if (Libc.Flock((int)file.DangerousGetHandle(), LockFlags.LOCK_EX | LockFlags.LOCK_NB) < 0)
            {
                throw new VersionTableException(
                    $"{path} is the version table of another daemon that runs: give this one another place (--table-dir)");
            }

            CheckIsOurs(file, path, slotCount);
            return Map(file, slotCount, path);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>An existing file, to be read only.</summary>
    /// <exception cref="VersionTableException">It cannot be opened.</exception>
    public static VersionTableMemory OpenForReading(string path) => MapForReading(Open(path, OpenFlags.O_RDONLY), path);

    /// <param name="file">Taken over.</param>
    public static VersionTableMemory MapForReading(SafeFileHandle file, string name)
    {
        try
        {
            long bytes = RandomAccess.GetLength(file);
            return bytes >= VersionTableConstants.HeaderBytes
                ? new VersionTableMemory(file, bytes, MemoryMappedFileAccess.Read)
                : throw new VersionTableException($"{name} has {bytes} bytes: too few for a version table");
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>The file is another writer's from here on.</summary>
    public void Unlock() => _ = Libc.Flock(Fd, LockFlags.LOCK_UN);

    public void Dispose()
    {
        MissingPages.Release(_guard);
        _view.SafeMemoryMappedViewHandle.ReleasePointer();
        _view.Dispose();
        _mapping.Dispose();
        _file.Dispose();
    }

    private static SafeFileHandle Open(string path, int flags)
    {
        fixed (byte* bytes = Encoding.UTF8.GetBytes(path + '\0'))
        {
            int fd = Libc.OpenAt(OpenFlags.AT_FDCWD, bytes, flags, FileMode);
            return fd >= 0
                ? new SafeFileHandle(fd, ownsHandle: true)
                : throw new VersionTableException(
                    $"cannot open the version table {path}: {Marshal.GetPInvokeErrorMessage((int)fd.ToErrno())}");
        }
    }

    private static void CheckIsOurs(SafeFileHandle file, string path, long slotCount)
    {
        statx attributes;
        fixed (byte* self = "\0"u8)
        {
            int result = Libc.Statx(
                (int)file.DangerousGetHandle(), self, OpenFlags.AT_EMPTY_PATH, StatFlags.STATX_BASIC_STATS, out attributes);
            LinuxException.Check(result, "statx");
        }

        if (attributes.stx_uid != Libc.GetEUid() || (attributes.stx_mode & StatFlags.S_IFMT) != StatFlags.S_IFREG)
        {
            throw new VersionTableException($"{path} is not a file of this user's: remove it, or give another place (--table-dir)");
        }

        long wanted = VersionTableLayout.MemoryBytes(slotCount);
        if (attributes.stx_size != 0 && (long)attributes.stx_size != wanted)
        {
            throw new VersionTableException(
                $"{path} has {attributes.stx_size} bytes, a table of {slotCount} slots has {wanted}: remove it once no guest uses it, " +
                "or give the --table-slots that it was made with");
        }
    }

    private static VersionTableMemory Map(SafeFileHandle file, long slotCount, string name)
    {
        int fd = (int)file.DangerousGetHandle();
        // Room for all that is used now: later, a full file system would end the process at a write (SIGBUS).
        int result = Libc.FTruncate(fd, VersionTableLayout.MemoryBytes(slotCount));
        result = result < 0 ? result : Libc.Fallocate(fd, 0, 0, VersionTableLayout.UsedBytes(slotCount));
        if (result < 0)
        {
            throw new VersionTableException(
                $"no room for the version table {name}: {Marshal.GetPInvokeErrorMessage((int)result.ToErrno())}");
        }

        return new VersionTableMemory(file, VersionTableLayout.MemoryBytes(slotCount), MemoryMappedFileAccess.ReadWrite);
    }
}
