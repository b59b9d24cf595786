using Coherency.Core.Linux;
using Coherency.Core.Versioning;
using Coherency.Core.Versioning.Abi;
using Coherency.Core.VhostUser;
using Coherency.Core.VhostUser.Abi;
using Microsoft.Extensions.Logging;

namespace Coherency.Host.Transports.VhostUser;

/// <summary>
/// Has the VMM map a guest's version table into the shared memory region of the device (vhost-user.rst, SHMEM_MAP).
/// </summary>
internal sealed partial class SharedTable(BackendChannel channel, VersionTableWriter table, string guest, ILogger log)
{
    private readonly Lock _lock = new();
    private bool _isAsked;
    private bool _isWantedAgain;

    /// <summary>Maps, now or again: a VMM drops its mappings when the device is reset.</summary>
    public void RequestMap()
    {
        lock (_lock)
        {
            // The answer that is to come may be of before the reset.
            _isWantedAgain = _isAsked;
            if (_isAsked)
            {
                return;
            }

            _isAsked = true;
        }

        Ask();
    }

    private void Ask()
    {
        vhost_user_mmap request = new()
        {
            shmid = VersionTableConstants.SharedMemoryRegionId,
            len = (ulong)table.MemoryBytes,
            // A descriptor that cannot be written to is refused by QEMU, and the guest then can write whatever this says:
            // so each guest has a table of its own.
            flags = 0,
        };
        int fd = Libc.Dup(table.Fd);
        if (fd < 0)
        {
            Note(fd.ToErrno());
        }
        else if (!channel.TryAsk(VhostUserBackendRequest.ShmemMap, request, fd, Note))
        {
            Note(Errno.ENOBUFS);
        }
    }

    private void Note(Errno answer)
    {
        if (answer == Errno.None)
        {
            LogMapped(log, guest, table.MemoryBytes);
        }
        else if (answer != Errno.ENOTCONN)
        {
            // Of a channel that has ended somebody else speaks.
            LogFailed(log, guest, $"the VMM answered {answer}");
        }

        lock (_lock)
        {
            _isAsked = _isWantedAgain && answer != Errno.ENOTCONN;
            _isWantedAgain = false;
            if (!_isAsked)
            {
                return;
            }
        }

        Ask();
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "{Guest}: the VMM has mapped the version table, {Bytes} bytes")]
    private static partial void LogMapped(ILogger log, string guest, long bytes);

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "{Guest}: the VMM has not mapped the version table: {Reason}. The guest gets what --cache auto means")]
    private static partial void LogFailed(ILogger log, string guest, string reason);
}
