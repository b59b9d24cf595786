using System.Collections.Concurrent;
using System.Text;
using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Host.Coherence;
using Coherency.Host.Coherence.Changes;
using Coherency.Host.Faults;
using Coherency.Host.Paths;
using Coherency.Host.Server;
using Microsoft.Extensions.Logging;

namespace Coherency.Host.Passthrough;

/// <summary>
/// A host directory that sessions are served from: what they have in common. Thread-safe. Its sessions are disposed before
/// it is, and it must not be disposed while one of them still works.
/// </summary>
public sealed unsafe partial class PassthroughShare : IDisposable
{
    private const int PathOnly = OpenFlags.O_PATH | OpenFlags.O_NOFOLLOW;

    /// <summary>With fewer left, clients had better open their files: they are told then when there is no more.</summary>
    private const int ReadableDescriptorsMin = 64;

    /// <summary>
    /// How often what was opened and not used since the last time is closed: it holds the space of a removed file, keeps host
    /// programs from taking a lease, and the host from unmounting what is mounted below.
    /// </summary>
    private static readonly TimeSpan UnusedPeriod = TimeSpan.FromSeconds(1);

    private readonly ConcurrentDictionary<ulong, bool> _submounts = new();
    private readonly Lock _readableLock = new();
    private readonly ShareGroup _group;
    private readonly int _rootFd;
    private readonly DescriptorCache _cache;
    private readonly bool _mayOpenAll = MayOpenAll();
    private readonly Timer _closing;
    private bool _mountsChanged;

    /// <param name="group">The clients of all shares that overlap this one; a group of its own when not given.</param>
    /// <exception cref="ShareException">The directory cannot be shared; the message says why.</exception>
    public PassthroughShare(PassthroughOptions options, ShareGroup? group = null)
    {
        Options = options;
        Seal = options.HandleKey is { } key ? new HandleSeal(key) : HandleSeal.Random();
        _group = group ?? new ShareGroup();
        Sessions = new ShareSessions(_group);
        _rootFd = OpenRoot(options.SharedDirectory);
        Mounts = new MountTable(options.InodeFileHandles);
        Numbers = new InodeNumbers(Mounts);
        _cache = new DescriptorCache(options.CachedDescriptorsMax, options.Budget);
        Inodes = new InodeTable(Mounts, options.KeyHash, _cache, options.Budget);
        Kept = new KeptInodes(options.Budget);
        UsesFileHandles = RegisterRoot();
        Resolver = new InodeResolver(Inodes, Mounts, _cache, options.Budget, UsesFileHandles);
        statx root = RootAttributes();
        RootIno = root.stx_ino;
        RootKey = AddRoot(root);
        // Not by a thread that others wait for: closing the last descriptor of a large file that was removed can take long.
        _closing = new Timer(
            _ => GuardedThread.Guard(CloseUnused, fault => LogFault(Options.Log, fault, Options.SharedDirectory)),
            null,
            UnusedPeriod,
            UnusedPeriod);
    }

    public PassthroughOptions Options { get; }

    /// <summary>Inodes are kept by file handle; otherwise each that a client knows costs a descriptor.</summary>
    public bool UsesFileHandles { get; }

    /// <summary>The inode key of the shared directory, whose node id on the wire is 1.</summary>
    public ulong RootKey { get; }

    internal ulong RootIno { get; }

    /// <summary>An O_PATH descriptor of the shared directory.</summary>
    internal int RootFd => _rootFd;

    internal HandleSeal Seal { get; }

    /// <summary>Every change that sessions make passes here.</summary>
    public ShareGroup Group => _group.Whole;

    /// <summary>Of all shares of the group.</summary>
    internal ShareSessions Sessions { get; }

    /// <summary>Inodes that sessions hold now, the root included.</summary>
    public int InodeCount => Inodes.Count;

    /// <summary>Descriptors that are open for sessions now.</summary>
    public int DescriptorCount => Budget.Used;

    /// <summary>Where the shared directory is on the host now.</summary>
    internal string CurrentPath => new FileInfo($"/proc/self/fd/{_rootFd}").LinkTarget ?? Options.SharedDirectory;

    internal InodeTable Inodes { get; }

    internal KeptInodes Kept { get; }

    internal MountTable Mounts { get; }

    internal InodeNumbers Numbers { get; }

    internal InodeResolver Resolver { get; }

    internal DescriptorBudget Budget => Options.Budget;

    /// <summary>Each inode that is known, and who keeps it: for whoever finds that there are too many.</summary>
    internal IEnumerable<string> DescribeInodes()
    {
        List<(ulong Node, int References)> all = [];
        Inodes.Visit((node, references) => all.Add((node, references)));
        return all.Select(known => Describe(known.Node, known.References));
    }

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
    /// Keeps the root of a submount in the table until the host has unmounted it. A guest before Linux 6.7 may give it back while
    /// it has it mounted, and goes on to believe names in it: the watcher must not take it for something that nobody holds.
    /// </summary>
    internal void KeepSubmount(scoped in PinnedInode root)
    {
        if (_submounts.TryAdd(root.Node, true))
        {
            Inodes.Pin(root.Node).Keep();
        }
    }

    /// <summary>Something may have been unmounted: what is kept of it is let go soon.</summary>
    internal void MountsChanged() => Volatile.Write(ref _mountsChanged, true);

    public void Dispose()
    {
        StopClosing();
        Inodes.CloseAll();
        _cache.Dispose();
        Inodes.Readable?.Dispose();
        Mounts.Dispose();
    }

    private string Describe(ulong node, int references)
    {
        using PinnedInode inode = Inodes.Pin(node);
        if (inode.IsEmpty)
        {
            return $"{node:x} went meanwhile";
        }

        using PinnedDescriptor path = OpenPath(inode);
        string? name = path.Errno == Errno.None ? new FileInfo($"/proc/self/fd/{path.Fd}").LinkTarget : path.Errno.ToString();
        string submount = _submounts.ContainsKey(node) ? ", root of a mount" : "";
        return $"{node:x} {name} of mount {inode.Mount}{submount}, {references} references: {Sessions.Describe(node)}";
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

        int pinned = _cache.InsertPinned(inode.Node, fd, inode.Mount != 0, out int place);
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
    /// <returns>A descriptor or -errno, as <see cref="Reopening.Open"/>.</returns>
    internal int OpenReal(scoped in PinnedInode inode, int flags)
    {
        int pathFd = inode.OwnFd;
        if (pathFd >= 0)
        {
            return Reopening.Open(pathFd, flags);
        }

        int fd = OpenByHandle(inode, flags & ~OpenFlags.O_APPEND);
        return Reopening.Result(Reopening.TakesOnlyAppends(fd, flags) ? OpenByHandle(inode, flags) : fd);
    }

    /// <summary>
    /// Keeps what a name stands for that is about to be removed: for each session that holds it, as a handle opens nothing any more
    /// once the last name has gone, and until <paramref name="target"/> is disposed, so that it goes when no lock is held. ENFILE
    /// when a session needs it and there is no descriptor: then the name must stay. ERESTART when there will be one.
    /// </summary>
    internal Errno KeepRemoved(scoped ref NameTarget target, int directoryFd, EntryName name)
    {
        if (!target.Exists)
        {
            return Errno.None;
        }

        if (target.Inode.IsEmpty)
        {
            int fd = Budget.TryTake() ? Libc.OpenAt(directoryFd, name.Pointer, PathOnly) : -(int)Errno.ENFILE;
            if (fd >= 0)
            {
                target.Descriptor = PinnedDescriptor.Temporary(fd, Budget);
            }
            else if (fd != -(int)Errno.ENFILE)
            {
                Budget.Return();
            }
        }
        else if (target.Inode.OwnFd < 0 && Kept.Add(this, target.Inode, isRemoved: true) == Errno.None)
        {
            target.KeptIn = Kept;
        }

        return Sessions.KeepRemoved(this, target);
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
            return true;
        }
    }

    private void CloseUnused()
    {
        if (Inodes.Readable is { } readable)
        {
            readable.CloseUnused();
            _cache.CloseRemoved();
        }

        // In this order: what of a submount is open keeps it busy.
        _cache.CloseUnusedOfSubmounts();
        bool haveGone = Mounts.LetUnusedGo();
        Sessions.LetUnusedGo();
        bool haveChanged = Interlocked.Exchange(ref _mountsChanged, false);
        if ((haveGone || haveChanged) && !_submounts.IsEmpty)
        {
            LetSubmountsGo();
        }
    }

    /// <summary>Lets the roots go of what is not mounted any more: nothing of it can be reached, and the epoch has moved.</summary>
    private void LetSubmountsGo()
    {
        HashSet<ulong> there = [.. MountInfo.ReadAll().Select(line => line.Id)];
        foreach (ulong node in _submounts.Keys)
        {
            using PinnedInode root = Inodes.Pin(node);
            Mount mount = Mounts[root.Mount];
            if (mount.IsLetGo && !there.Contains(mount.Id) && _submounts.TryRemove(node, out _))
            {
                Inodes.Release(node);
            }
        }
    }

    /// <summary>When this returns, the timer's work has ended.</summary>
    private void StopClosing()
    {
        using ManualResetEvent stopped = new(false);
        if (_closing.Dispose(stopped))
        {
            stopped.WaitOne();
        }
    }

    /// <summary>Whether reading a file of the mount can be refused when it would have to wait (RWF_NOWAIT).</summary>
    internal bool TellsOfWaits(ushort mount) => Mounts[mount].TellsOfWaits;

    /// <summary>The mount's file system has refused such a read.</summary>
    internal void NoteNotTellingOfWaits(ushort mount) => Mounts[mount].TellsOfWaits = false;

    /// <summary>
    /// Whether files of a mount can be closed and opened again with nobody noticing: closing reports nothing there, and the daemon may
    /// open whatever it could when the client opened it.
    /// </summary>
    internal bool ReopensFreely(ushort mount) => _mayOpenAll && Mounts[mount].IsLocal;

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

        int pinned = readable.InsertPinned(inode.Node, opened.Fd, inode.Mount != 0, out place);
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

    /// <summary>
    /// May other bytes than a name's mean the same in this directory? No client may keep such a name. A directory is asked once for
    /// as long as clients hold it: it can change its rule only while it is empty.
    /// </summary>
    internal bool FoldsNames(scoped in PinnedInode directory)
    {
        NameRule rule = Mounts[directory.Mount].Names;
        if (rule == NameRule.ByDirectory)
        {
            rule = directory.Names;
        }

        return rule == NameRule.Unknown ? AskNames(directory) != NameRule.Exact : rule == NameRule.Folding;
    }

    private NameRule AskNames(scoped in PinnedInode directory)
    {
        using PinnedDescriptor opened = OpenOnce(directory, OpenFlags.O_RDONLY | OpenFlags.O_DIRECTORY);
        if (opened.Errno != Errno.None)
        {
            // Not known for now.
            return NameRule.Unknown;
        }

        NameRule rule = Options.RuleOfDirectory(opened.Fd);
        directory.Names = rule;
        return rule;
    }

    /// <summary>Another descriptor of an open file, which is closed after use.</summary>
    internal PinnedDescriptor OpenAgain(int fd, int flags)
    {
        if (!Budget.TryTake())
        {
            return PinnedDescriptor.Failed(Errno.ENFILE);
        }

        int again = Reopening.Open(fd, flags);
        if (again >= 0)
        {
            return PinnedDescriptor.Temporary(again, Budget);
        }

        Budget.Return();
        return PinnedDescriptor.Failed(again.ToErrno());
    }

    /// <summary>An O_PATH descriptor that the caller owns, or -errno.</summary>
    /// <param name="mayTakeCached">The one that is kept for being needed again will do.</param>
    internal int OpenPathForGood(scoped in PinnedInode inode, bool mayTakeCached)
    {
        int fd = mayTakeCached ? _cache.TryTake(inode.Node) : -1;
        return fd >= 0 ? fd : OpenByHandle(inode, PathOnly);
    }

    private int OpenByHandle(scoped in PinnedInode inode, int flags)
    {
        FileIdentity identity = inode.Identity();
        using PinnedMount mount = Mounts.Pin(inode.Mount);
        // SAFETY: a local, with no more bytes than it has room for (FileIdentity.Bytes).
        return mount.Fd < 0 ? mount.Fd : Libc.OpenByHandleAt(mount.Fd, &identity.Handle, flags);
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
            throw new ShareException(
                $"cannot share '{Options.SharedDirectory}': file handles are mandatory, but the file system or the lack of " +
                "CAP_DAC_READ_SEARCH does not allow them");
        }

        return mount.Fd >= 0
            ? mount.UsesHandles
            : throw new ShareException($"cannot share '{Options.SharedDirectory}': it cannot be read");
    }

    [LoggerMessage(Level = LogLevel.Critical, Message = "{Directory}: closing what is not used failed in a way that it must not")]
    private static partial void LogFault(ILogger log, Exception fault, string directory);

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
