using Coherency.Core.Fuse;
using Coherency.Core.Linux;

namespace Coherency.Host.Server;

/// <summary>
/// What a session serves: one method per FUSE operation, called by several threads at a time. An instance belongs to one
/// session (one guest, one mount); what it holds for it goes with <see cref="IDisposable.Dispose"/>. A failure is a returned
/// <see cref="Errno"/>. Names were checked already: not empty, no slash, no NUL, neither "." nor "..", at most 255 bytes.
/// Node ids and handles were not: unknown ones answer ESTALE and EBADF.
/// </summary>
public unsafe interface IFileSystem : IDisposable
{
    /// <summary>Every change answers EROFS.</summary>
    bool IsReadOnly { get; }

    /// <summary>
    /// From now on <see cref="Open"/> and <see cref="OpenDirectory"/> answer ENOSYS, files are made without a handle (0), and a
    /// <see cref="FileTarget"/> without one means its node. False where the file system cannot do that: nothing has changed then.
    /// Calling it again is harmless.
    /// </summary>
    bool TryDoWithoutOpens();

    /// <summary>
    /// The client shows each mount below the root as a file system of its own, where <see cref="Entry.IsSubmount"/> says that one begins.
    /// Until this is called, it shows all of them as one.
    /// </summary>
    void ShowMounts();

    /// <summary>
    /// From now on the attributes of files that the client is to see in the memory of its device have STATX_ATTR_DAX, and others have not.
    /// False where there are none: nothing has changed then.
    /// </summary>
    /// <param name="minBytes">Of the smallest that is worth it.</param>
    bool TryShowDax(long minBytes);

    /// <summary>Opens a file that has STATX_ATTR_DAX for reading and writing.</summary>
    /// <param name="fd">For the caller to close.</param>
    /// <returns>Never EAGAIN or ENOMEM: page faults of Linux take those otherwise. ERESTART where it has to wait.</returns>
    Errno OpenForMapping(NodeId node, out int fd);

    /// <summary>
    /// The client is about to store to a part of such a file, of which nobody is told any more: there is room for it on the disk, and the
    /// file's time has changed. ENOSPC when there is none.
    /// </summary>
    Errno PrepareStores(NodeId node, long offset, long length);

    /// <summary>
    /// The client, which does without opens, holds a file open: what removes its last name beside the daemon must not take it
    /// away. Ignored for a node that it does not hold.
    /// </summary>
    void KeepOpened(NodeId node);

    /// <summary>The client has closed such a file.</summary>
    void LetClosed(NodeId node);

    /// <summary>Finds a name and adds 1 to the session's references of the inode found.</summary>
    Errno Lookup(NodeId parent, EntryName name, out Entry entry);

    /// <summary>
    /// LOOKUP of ".": adds 1 to the references of an inode that the session holds, or has named by handle a moment ago; ESTALE
    /// when it does not. The root is never counted.
    /// </summary>
    Errno LookupNode(NodeId node, out Entry entry);

    /// <summary>LOOKUP of "..": the directory that a directory is in, never one outside what is shared (ESTALE).</summary>
    Errno LookupParent(NodeId node, out Entry entry);

    /// <summary>
    /// What <see cref="FindByHandle"/> finds the inode again by, whether the session still holds it or not. ENODATA where there is
    /// no such thing. With an empty <paramref name="handle"/>, <paramref name="length"/> is the size that it would need.
    /// </summary>
    Errno GetHandle(NodeId node, Span<byte> handle, out int length);

    /// <summary>
    /// Has the session hold the inode until it has looked it up by <see cref="LookupNode"/>, or named many others by handle.
    /// </summary>
    /// <param name="root">The root of the mount that the handle is of.</param>
    /// <returns>ESTALE when the inode is gone, or the handle is none of <see cref="GetHandle"/>'s.</returns>
    Errno FindByHandle(NodeId root, ReadOnlySpan<byte> handle, out NodeId node);

    /// <summary>Was the node given to the client, and not forgotten by it? The root always is.</summary>
    bool Holds(NodeId node);

    /// <summary>Has an inode that the client holds lost its last name? False where that cannot be told.</summary>
    bool IsRemoved(NodeId node);

    /// <summary>Is there such a name, in a directory that the client holds? False where that cannot be told.</summary>
    bool HasName(NodeId directory, ReadOnlySpan<byte> name);

    /// <summary>Drops references; a count beyond those given drops all, an unknown node none.</summary>
    void Forget(NodeId node, ulong count);

    /// <param name="handle">Set when the client named an open file.</param>
    Errno GetAttributes(NodeId node, FileHandle? handle, out statx attributes);

    Errno SetAttributes(in Caller caller, NodeId node, in AttributeChange change, out statx attributes);

    /// <summary>Reads a symlink's target; <paramref name="length"/> in bytes, no NUL.</summary>
    Errno ReadLink(NodeId node, Span<byte> target, out int length);

    Errno Symlink(in Caller caller, NodeId parent, EntryName name, EntryName target, out Entry entry);

    /// <param name="device">As makedev(3) of the C library encodes it (new_encode_dev on the wire).</param>
    Errno MakeNode(in Caller caller, NodeId parent, EntryName name, uint mode, uint device, out Entry entry);

    Errno MakeDirectory(in Caller caller, NodeId parent, EntryName name, uint mode, out Entry entry);

    Errno Unlink(NodeId parent, EntryName name);

    Errno RemoveDirectory(NodeId parent, EntryName name);

    /// <param name="flags">RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_WHITEOUT; others answer EINVAL.</param>
    Errno Rename(in Caller caller, NodeId parent, EntryName name, NodeId newParent, EntryName newName, uint flags);

    Errno Link(NodeId node, NodeId newParent, EntryName newName, out Entry entry);

    /// <param name="flags">O_* as the guest's program gave them.</param>
    Errno Open(in Caller caller, NodeId node, int flags, bool killSuidGid, out FileHandle handle);

    /// <summary>Makes and opens a file; opens it when it exists and O_EXCL is not set.</summary>
    Errno Create(
        in Caller caller, NodeId parent, EntryName name, int flags, uint mode, bool killSuidGid, out Entry entry, out FileHandle handle);

    /// <summary>Makes and opens a file without a name (O_TMPFILE).</summary>
    Errno CreateTemporary(in Caller caller, NodeId parent, int flags, uint mode, out Entry entry, out FileHandle handle);

    /// <summary>Reads straight into <paramref name="vectors"/>; <paramref name="bytes"/> 0 is the end of the file.</summary>
    /// <param name="mayWait">Otherwise EAGAIN if a disk or another machine has to be waited for, where the host can tell.</param>
    // SAFETY (this and Write): count vectors of memory that stays until the call returns. A client may write to it
    // meanwhile: it is passed on to the kernel, never looked at.
    Errno Read(FileTarget file, IoVec* vectors, int count, long offset, bool mayWait, out long bytes);

    /// <summary>Writes straight from <paramref name="vectors"/>.</summary>
    Errno Write(in Caller caller, FileTarget file, IoVec* vectors, int count, long offset, FuseWriteFlags flags, out long bytes);

    /// <summary>One of possibly several closes of an open file; drops the owner's record locks.</summary>
    Errno Flush(FileTarget file, ulong lockOwner);

    /// <summary>The last close of an open file.</summary>
    Errno Release(FileTarget file, FuseReleaseFlags flags, ulong lockOwner);

    Errno Sync(FileTarget file, bool dataOnly);

    Errno OpenDirectory(NodeId node, out FileHandle handle);

    /// <summary>Feeds entries from position <paramref name="offset"/> on to <paramref name="sink"/> until it is full.</summary>
    /// <param name="plus">Look every entry up too (and count a reference for each but "." and "..").</param>
    Errno ReadDirectory(FileTarget directory, long offset, bool plus, IDirectorySink sink);

    Errno ReleaseDirectory(FileTarget directory);

    Errno SyncDirectory(FileTarget directory, bool dataOnly);

    Errno GetStatistics(NodeId node, out statfs statistics);

    /// <summary>Writes back the whole file system of the node (syncfs).</summary>
    Errno SyncFileSystem(NodeId node);

    /// <param name="mask">R_OK 4, W_OK 2, X_OK 1 or F_OK 0.</param>
    Errno CheckAccess(in Caller caller, NodeId node, uint mask);

    /// <summary>With an empty <paramref name="value"/>, <paramref name="length"/> is the size that it would need.</summary>
    Errno GetXattr(NodeId node, EntryName name, Span<byte> value, out int length);

    Errno SetXattr(in Caller caller, NodeId node, EntryName name, ReadOnlySpan<byte> value, int flags, bool killSgid);

    /// <summary>With an empty <paramref name="list"/>, <paramref name="length"/> is the size that it would need.</summary>
    Errno ListXattr(NodeId node, Span<byte> list, out int length);

    Errno RemoveXattr(NodeId node, EntryName name);

    Errno Allocate(in Caller caller, FileTarget file, int mode, long offset, long length);

    /// <param name="whence">SEEK_DATA 3, SEEK_HOLE 4; the others the client does itself.</param>
    Errno Seek(FileTarget file, long offset, int whence, out long position);

    Errno CopyRange(
        in Caller caller, FileTarget source, long sourceOffset, FileTarget target, long targetOffset, ulong length, out long copied);

    /// <summary>Tells which lock, if any, stands in the way: type F_UNLCK when none does.</summary>
    Errno GetLock(FileTarget file, ulong owner, ref FileLock fileLock);

    /// <summary>A lock owner of this client, told from those of other clients.</summary>
    LockOwner IdentifyOwner(ulong owner);

    /// <summary>Adds the owners, of whichever client, whose record locks stand in the way of one.</summary>
    void FindLockHolders(FileTarget file, ulong owner, in FileLock wanted, List<LockOwner> holders);

    /// <summary>An owner of this client has a lock on a file; with <paramref name="isFlock"/>, of flock(2).</summary>
    bool HoldsLock(FileTarget file, ulong owner, bool isFlock);

    /// <summary>Takes or drops a record lock without waiting; EAGAIN when another holds it.</summary>
    Errno SetLock(FileTarget file, ulong owner, in FileLock fileLock);

    /// <summary>Takes or drops a flock(2) lock without waiting; EAGAIN when another holds it.</summary>
    /// <param name="owner">The open file of the client; a handle stands for it by itself.</param>
    Errno SetFlock(FileTarget file, ulong owner, short type);
}
