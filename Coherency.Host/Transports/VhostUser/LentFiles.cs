using Coherency.Core.Linux;

namespace Coherency.Host.Transports.VhostUser;

/// <summary>What makes a file that file, of those that are open.</summary>
internal readonly record struct LentFile(uint Major, uint Minor, ulong Inode);

/// <summary>
/// Files that a back end has given to its front end to be mapped into the device's shared memory. Their bytes are not the guest's own
/// memory, however the front end calls them. Any thread may call.
/// </summary>
internal sealed class LentFiles
{
    private readonly Lock _lock = new();
    private readonly Dictionary<LentFile, int> _files = [];

    /// <summary>The front end has announced a part of such a file as memory: it has mapped it. By the thread that serves it.</summary>
    public event Action<LentFile, long>? Announced;

    /// <summary>Before the front end gets it.</summary>
    /// <exception cref="LinuxException">The descriptor is none.</exception>
    public LentFile Add(int fd)
    {
        if (!TryIdentify(fd, out LentFile file))
        {
            throw new LinuxException("statx", Errno.EBADF);
        }

        lock (_lock)
        {
            _files[file] = _files.GetValueOrDefault(file) + 1;
        }

        return file;
    }

    /// <summary>The front end has let go of it once.</summary>
    public void Remove(LentFile file)
    {
        lock (_lock)
        {
            int count = _files.GetValueOrDefault(file) - 1;
            if (count > 0)
            {
                _files[file] = count;
            }
            else
            {
                _files.Remove(file);
            }
        }
    }

    public bool Contains(int fd, out LentFile file)
    {
        if (!TryIdentify(fd, out file))
        {
            return false;
        }

        lock (_lock)
        {
            return _files.ContainsKey(file);
        }
    }

    public void Announce(LentFile file, long offset) => Announced?.Invoke(file, offset);

    private static unsafe bool TryIdentify(int fd, out LentFile file)
    {
        // SAFETY: a NUL is the empty path.
        byte empty = 0;
        int result = Libc.Statx(fd, &empty, OpenFlags.AT_EMPTY_PATH, StatFlags.STATX_BASIC_STATS, out statx attributes);
        file = new LentFile(attributes.stx_dev_major, attributes.stx_dev_minor, attributes.stx_ino);
        return result == 0;
    }
}
