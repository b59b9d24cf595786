using Coherency.Core.Linux;

namespace Coherency.Host.Passthrough;

/// <summary>
/// A mount of the host that the share contains. Its descriptor keeps the host from unmounting it, so that of a submount is
/// closed while nobody needs it, and opened again for whoever does.
/// </summary>
internal sealed class Mount
{
    private readonly Lock _lock = new();
    private int _fd = -1;
    private int _pins;
    private bool _wasUsed;

    /// <summary>Small number that stands for the mount in identities.</summary>
    public required ushort Index { get; init; }

    /// <summary>Goes into inode keys: f_fsid, or the device number where that is 0.</summary>
    public required ulong FileSystemId { get; init; }

    /// <summary>That of its root (st_dev).</summary>
    public required ulong Device { get; init; }

    public required bool UsesHandles { get; init; }

    /// <summary>Closing a file reports nothing, and positions in a directory mean the same to every descriptor.</summary>
    public required bool IsLocal { get; init; }

    /// <summary>Which part of which file system it shows, the same each time that is mounted; for <see cref="HandleSeal"/>.</summary>
    public required byte[] Scope { get; init; }

    /// <summary>By which rule its directories compare names.</summary>
    public required NameRule Names { get; init; }

    /// <summary>Its file system knows RWF_NOWAIT: cleared when it turns out not to.</summary>
    public bool TellsOfWaits { get; set; } = true;

    /// <summary>As /proc/self/mountinfo shows it; may be another's while there is no descriptor.</summary>
    public ulong Id { get; private set; }

    /// <summary>
    /// A real (not O_PATH) descriptor on it, for open_by_handle_at(2) and syncfs(2); -1 if there is none. For those who hold the
    /// table's lock; all others pin it.
    /// </summary>
    public int Fd => _fd;

    /// <summary>It had a descriptor, which was closed.</summary>
    public bool IsLetGo { get; private set; }

    /// <summary>Gives it a descriptor.</summary>
    public void Open(ulong id, int fd)
    {
        lock (_lock)
        {
            Id = id;
            _fd = fd;
            _wasUsed = true;
            IsLetGo = false;
        }
    }

    /// <summary>Keeps the descriptor open until <see cref="Unpin"/>; false when there is none.</summary>
    public bool TryPin()
    {
        lock (_lock)
        {
            _pins += _fd >= 0 ? 1 : 0;
            _wasUsed = true;
            return _fd >= 0;
        }
    }

    public void Unpin()
    {
        lock (_lock)
        {
            _pins--;
        }
    }

    /// <summary>Hands the descriptor over if nobody needed it since the last time that this was called; -1 otherwise.</summary>
    public int TakeIfUnused()
    {
        lock (_lock)
        {
            int fd = _wasUsed || _pins > 0 ? -1 : _fd;
            _wasUsed = false;
            if (fd >= 0)
            {
                _fd = -1;
                IsLetGo = true;
            }

            return fd;
        }
    }
}

/// <summary>A descriptor of a mount for one request.</summary>
internal readonly ref struct PinnedMount
{
    private readonly Mount? _mount;

    private PinnedMount(int fd, Mount? mount)
    {
        Fd = fd;
        _mount = mount;
    }

    /// <summary>The descriptor, or -errno.</summary>
    public int Fd { get; }

    public static PinnedMount Failed => new(-(int)Errno.ESTALE, null);

    /// <summary>Of a mount that is never let go.</summary>
    public static PinnedMount Kept(Mount mount) => new(mount.Fd, null);

    /// <summary>Of one that was pinned, which this takes over.</summary>
    public static PinnedMount Of(Mount pinned) => new(pinned.Fd, pinned);

    public void Dispose() => _mount?.Unpin();
}
