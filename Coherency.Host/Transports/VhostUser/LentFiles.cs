using Coherency.Core.Linux;

namespace Coherency.Host.Transports.VhostUser;

/// <summary>
/// Files that a back end has given to its front end to be mapped into the device's shared memory. Their bytes are not the guest's own
/// memory, however the front end calls them. Any thread may call.
/// </summary>
internal sealed class LentFiles
{
    private readonly Lock _lock = new();
    private readonly Dictionary<(uint Major, uint Minor, ulong Inode), int> _files = [];

    /// <summary>Before the front end gets it.</summary>
    public void Add(int fd) => Change(fd, 1);

    /// <summary>The front end has let go of it once.</summary>
    public void Remove(int fd) => Change(fd, -1);

    public bool Contains(int fd)
    {
        if (!TryIdentify(fd, out (uint Major, uint Minor, ulong Inode) identity))
        {
            return false;
        }

        lock (_lock)
        {
            return _files.ContainsKey(identity);
        }
    }

    private void Change(int fd, int difference)
    {
        if (!TryIdentify(fd, out (uint Major, uint Minor, ulong Inode) identity))
        {
            return;
        }

        lock (_lock)
        {
            int count = _files.GetValueOrDefault(identity) + difference;
            if (count > 0)
            {
                _files[identity] = count;
            }
            else
            {
                _files.Remove(identity);
            }
        }
    }

    private static unsafe bool TryIdentify(int fd, out (uint Major, uint Minor, ulong Inode) identity)
    {
        // SAFETY: a NUL is the empty path.
        byte empty = 0;
        int result = Libc.Statx(fd, &empty, OpenFlags.AT_EMPTY_PATH, StatFlags.STATX_BASIC_STATS, out statx attributes);
        identity = (attributes.stx_dev_major, attributes.stx_dev_minor, attributes.stx_ino);
        return result == 0;
    }
}
