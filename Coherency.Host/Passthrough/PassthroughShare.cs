using System.Collections.Concurrent;
using System.Text;
using Coherency.Core.Linux;
using Coherency.Host.Coherence;

namespace Coherency.Host.Passthrough;

/// <summary>
/// A host directory that sessions are served from: what they have in common. Thread-safe. Its sessions are disposed before
/// it is, and it must not be disposed while one of them still works.
/// </summary>
public sealed unsafe class PassthroughShare : IDisposable
{
    private const int PathOnly = OpenFlags.O_PATH | OpenFlags.O_NOFOLLOW;

    /// <summary>With fewer left, clients had better open their files: they are told then when there is no more.</summary>
    private const int ReadableDescriptorsMin = 64;

    /// <summary>
    /// How often what was opened by node and not used since the last time is closed: it holds the space of a removed file, and
    /// keeps host programs from taking a lease.
    /// </summary>
    private static readonly TimeSpan UnusedPeriod = TimeSpan.FromSeconds(1);

    private readonly ConcurrentDictionary<ulong, bool> _submounts = new();
    private readonly Lock _readableLock = new();
    private readonly int _rootFd;
    private readonly DescriptorCache _cache;
    private Timer? _closing;

    /// <param name="group">The clients of all shares that overlap this one; a group of its own when not given.</param>
    /// <exception cref="ShareException">The directory cannot be shared; the message says why.</exception>
    public PassthroughShare(PassthroughOptions options, ShareGroup? group = null)
    {
        Options = options;
        Group = group ?? new ShareGroup();
        _rootFd = OpenRoot(options.SharedDirectory);
        Mounts = new MountTable(options.InodeFileHandles);
        _cache = new DescriptorCache(options.CachedDescriptorsMax, options.Budget);
        Inodes = new InodeTable(Mounts, options.KeyHash, _cache, options.Budget);
        UsesFileHandles = RegisterRoot();
        Resolver = new InodeResolver(Inodes, Mounts, _cache, options.Budget, UsesFileHandles);
        statx root = RootAttributes();
        RootIno = root.stx_ino;
        RootKey = AddRoot(root);
    }

    public PassthroughOptions Options { get; }

    /// <summary>Inodes are kept by file handle; otherwise each that a client knows costs a descriptor.</summary>
    public bool UsesFileHandles { get; }

    /// <summary>The inode key of the shared directory, whose node id on the wire is 1.</summary>
    public ulong RootKey { get; }

    internal ulong RootIno { get; }

    /// <summary>Every change that sessions make passes here.</summary>
    public ShareGroup Group { get; }

    /// <summary>Inodes that sessions hold now, the root included.</summary>
    public int InodeCount => Inodes.Count;

    /// <summary>Descriptors that are open for sessions now.</summary>
    public int DescriptorCount => Budget.Used - Idle(_cache) - (Inodes.Readable is { } readable ? Idle(readable) : 0);

    internal InodeTable Inodes { get; }

    internal MountTable Mounts { get; }

    internal InodeResolver Resolver { get; }

    internal DescriptorBudget Budget => Options.Budget;

    /// <summary>Starts serving one more guest, independent of all others.</summary>
    /// <param name="view">How the guest learns of the others' changes, so that it is not told of its own; if it learns at all.</param>
    public PassthroughFileSystem OpenSession(ShareView? view = null) => new(this, view);

    /// <summary>
    /// Tells of the mounts and inodes that the share has and comes to have. Set before the first session is opened, and
    /// taken away (null) after the last one.
    /// </summary>
    internal void SetWatch(IShareWatch? watch)
    {
        Inodes.Watch = watch;
        Mounts.SetWatch(watch);
        using PinnedInode root = Inodes.Pin(RootKey);
        watch?.AddInode(root);
    }

    /// <summary>
    /// Keeps the root of a submount in the table for good. A guest before Linux 6.7 may give it back while it has it mounted, and
    /// goes on to believe names in it: the watcher must not take it for something that nobody holds.
    /// </summary>
    internal void KeepSubmount(scoped in PinnedInode root)
    {
        if (_submounts.TryAdd(root.Node, true))
        {
            Inodes.Pin(root.Node).Keep();
        }
    }

    public void Dispose()
    {
        StopClosing();
        Inodes.CloseAll();
        _cache.Dispose();
        Inodes.Readable?.Dispose();
        Mounts.Dispose();
    }

    /// <summary>An O_PATH descriptor of an inode.</summary>
    internal PinnedDescriptor OpenPath(scoped in PinnedInode inode)
    {
        if (inode.IsEmpty)
        {
            return PinnedDescriptor.Failed(Errno.ESTALE);
        }

        int fd = inode.OwnFd;
        if (fd >= 0)
        {
            return PinnedDescriptor.Owned(fd);
        }

        fd = _cache.TryPin(inode.Node, out int place);
        return fd >= 0 ? PinnedDescriptor.Cached(fd, _cache, place) : OpenUncached(inode);
    }

    private PinnedDescriptor OpenUncached(scoped in PinnedInode inode)
    {
        int fd = OpenByHandle(inode, PathOnly);
        if (fd < 0)
        {
            return PinnedDescriptor.Failed(fd.ToErrno());
        }

        int pinned = _cache.InsertPinned(inode.Node, fd, out int place);
        if (place >= 0)
        {
            return PinnedDescriptor.Cached(pinned, _cache, place);
        }

        if (Budget.TryTake())
        {
            return PinnedDescriptor.Temporary(fd, Budget);
        }

        Libc.Close(fd);
        return PinnedDescriptor.Failed(Errno.ENFILE);
    }

    /// <summary>Opens a regular file or directory for good; the caller has checked that it is one.</summary>
    internal int OpenReal(scoped in PinnedInode inode, int flags)
    {
        int pathFd = inode.OwnFd;
        if (pathFd < 0)
        {
            return OpenByHandle(inode, flags);
        }

        ProcPath path = new(pathFd);
        return Libc.OpenAt(OpenFlags.AT_FDCWD, path.Pointer, flags);
    }

    /// <summary>
    /// Keeps an inode usable that is about to lose its last name: a handle opens nothing any more then. Clients that cache for
    /// ever hold inodes long after others have removed them, so this takes only what the budget can spare. When there is
    /// nothing to spare, clients that hold it get ESTALE, unless they have it open.
    /// </summary>
    internal void KeepUsable(scoped in PinnedInode inode)
    {
        if (inode.IsEmpty || inode.OwnFd >= 0 || !Budget.TryTakeSpare())
        {
            return;
        }

        int fd = _cache.TryTake(inode.Node);
        fd = fd >= 0 ? fd : OpenByHandle(inode, PathOnly);
        if (fd < 0 || !inode.TryAdopt(fd))
        {
            Budget.Return();
            if (fd >= 0)
            {
                Libc.Close(fd);
            }
        }
    }

    /// <summary>
    /// Makes ready to serve inodes that clients do not open. False where that would not be the same: handles must work, the daemon
    /// must be allowed to open whatever a client's user may, and closing a file must tell nothing.
    /// </summary>
    internal bool TryServeByNode()
    {
        lock (_readableLock)
        {
            if (Inodes.Readable is not null)
            {
                return true;
            }

            bool can = UsesFileHandles && Mounts[0].IsLocal && MayOpenAll();
            // Not the last ones: clients that open files need them more.
            if (!can || Budget.Available < ReadableDescriptorsMin)
            {
                return false;
            }

            DescriptorCache readable = new(Options.ReadableDescriptorsMax, Budget);
            Inodes.Readable = readable;
            // Not by a thread that others wait for: closing the last descriptor of a large file that was removed can take long.
            _closing = new Timer(_ => CloseUnused(readable), null, UnusedPeriod, UnusedPeriod);
            return true;
        }
    }

    private void CloseUnused(DescriptorCache readable)
    {
        readable.CloseUnused();
        _cache.CloseRemoved();
    }

    /// <summary>When this returns, the timer's work has ended.</summary>
    private void StopClosing()
    {
        using ManualResetEvent stopped = new(false);
        if (_closing?.Dispose(stopped) == true)
        {
            stopped.WaitOne();
        }
    }

    private static bool MayOpenAll() =>
        ThreadCredentials.HasCapability(ProcessFlags.CAP_DAC_READ_SEARCH) && ThreadCredentials.HasCapability(ProcessFlags.CAP_DAC_OVERRIDE);

    /// <summary>A descriptor of a regular file for reading, which others use too; after <see cref="TryServeByNode"/>.</summary>
    internal PinnedDescriptor OpenReadable(scoped in PinnedInode inode, int flags)
    {
        DescriptorCache readable = Inodes.Readable!;
        int fd = readable.TryPin(inode.Node, out int place);
        if (fd >= 0)
        {
            return PinnedDescriptor.Cached(fd, readable, place);
        }

        PinnedDescriptor opened = OpenOnce(inode, OpenFlags.O_RDONLY | flags);
        if (opened.Errno != Errno.None)
        {
            return opened;
        }

        int pinned = readable.InsertPinned(inode.Node, opened.Fd, out place);
        if (place < 0)
        {
            return opened;
        }

        // The cache has counted its places already.
        Budget.Return();
        return PinnedDescriptor.Cached(pinned, readable, place);
    }

    /// <summary>A descriptor of a regular file or directory that is closed after use.</summary>
    internal PinnedDescriptor OpenOnce(scoped in PinnedInode inode, int flags)
    {
        if (!Budget.TryTake())
        {
            return PinnedDescriptor.Failed(Errno.ENFILE);
        }

        int fd = OpenReal(inode, flags);
        if (fd >= 0)
        {
            return PinnedDescriptor.Temporary(fd, Budget);
        }

        Budget.Return();
        return PinnedDescriptor.Failed(fd.ToErrno());
    }

    /// <summary>An O_PATH descriptor that the caller owns.</summary>
    internal int OpenPathForGood(scoped in PinnedInode inode) => OpenByHandle(inode, PathOnly);

    private static int Idle(DescriptorCache cache) => cache.Capacity - cache.OpenCount;

    private int OpenByHandle(scoped in PinnedInode inode, int flags)
    {
        FileIdentity identity = inode.Identity();
        return Libc.OpenByHandleAt(Mounts[inode.Mount].Fd, &identity.Handle, flags);
    }

    private static int OpenRoot(string directory)
    {
        fixed (byte* path = Encoding.UTF8.GetBytes(Path.GetFullPath(directory) + '\0'))
        {
            int fd = Libc.OpenAt(OpenFlags.AT_FDCWD, path, OpenFlags.O_PATH | OpenFlags.O_DIRECTORY);
            return fd >= 0 ? fd : throw new ShareException($"cannot share '{directory}': {Describe(fd.ToErrno())}");
        }
    }

    private static string Describe(Errno errno) => System.Runtime.InteropServices.Marshal.GetPInvokeErrorMessage((int)errno);

    /// <summary>Registers the root's mount, which tells whether handles work.</summary>
    private bool RegisterRoot()
    {
        statx attributes = RootAttributes();
        Errno errno = Mounts.GetOrRegister(_rootFd, attributes, out Mount mount);
        if (errno != Errno.None)
        {
            throw new ShareException($"cannot share '{Options.SharedDirectory}': file handles are mandatory, but the file system or the lack of CAP_DAC_READ_SEARCH does not allow them");
        }

        return mount.Fd >= 0
            ? mount.UsesHandles
            : throw new ShareException($"cannot share '{Options.SharedDirectory}': it cannot be read");
    }

    private statx RootAttributes()
    {
        int result = Libc.Statx(_rootFd, EmptyPath.Pointer, OpenFlags.AT_EMPTY_PATH, InodeResolver.AttributesWanted, out statx attributes);
        return result >= 0
            ? attributes
            : throw new ShareException($"cannot share '{Options.SharedDirectory}': {Describe(result.ToErrno())}");
    }

    /// <summary>Puts the root into the table, owning its descriptor, for as long as the share exists.</summary>
    private ulong AddRoot(in statx attributes)
    {
        Mount mount = Mounts[0];
        FileIdentity identity = FileIdentity.FromAttributes(mount.Index, attributes);
        if (mount.UsesHandles)
        {
            LinuxException.Check(identity.ReadHandle(_rootFd, EmptyPath.Pointer, OpenFlags.AT_EMPTY_PATH, out _), "name_to_handle_at");
        }

        // Given back with the others when the share closes.
        Budget.TryTake();
        int fd = _rootFd;
        PinnedInode root = Inodes.PinOrAdd(identity, ref fd);
        root.Describe(attributes);
        root.Keep();
        return root.Node;
    }
}
