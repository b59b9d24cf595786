using Coherency.Core.Linux;
using Coherency.Core.Versioning;
using Coherency.Core.Versioning.Abi;
using Coherency.Core.VhostUser;
using Coherency.Core.VhostUser.Abi;
using Coherency.Host.Faults;
using Coherency.Host.Server;
using Microsoft.Extensions.Logging;

namespace Coherency.Host.Transports.VhostUser;

/// <summary>
/// Has the VMM map a guest's version table into the shared memory region of the device (vhost-user.rst, SHMEM_MAP). On a
/// thread of its own: the VMM answers on this channel only while it waits for nothing on the other one.
/// </summary>
internal sealed partial class SharedTableMapper : IDisposable
{
    private readonly VhostUserConnection _channel;
    private readonly VersionTableWriter _table;
    private readonly string _guest;
    private readonly ILogger _log;
    private readonly AutoResetEvent _wanted = new(false);
    private readonly Thread _thread;
    private volatile bool _isStopping;

    /// <param name="channel">The back-end channel; taken over.</param>
    public SharedTableMapper(VhostUserConnection channel, VersionTableWriter table, string guest, ILogger log)
    {
        _channel = channel;
        _table = table;
        _guest = guest;
        _log = log;
        _thread = GuardedThread.Start($"{guest}-shmem", Run, fault => LogFailed(_log, _guest, fault.ToString()));
    }

    /// <summary>Maps, now or again: a VMM drops its mappings when the device is reset.</summary>
    public void RequestMap() => _wanted.Set();

    public void Dispose()
    {
        _isStopping = true;
        _wanted.Set();
        _channel.Shutdown();
        _thread.Join();
        _channel.Dispose();
        _wanted.Dispose();
    }

    private void Run()
    {
        while (_wanted.WaitOne() && !_isStopping)
        {
            try
            {
                Map();
            }
            catch (VhostUserException broken)
            {
                if (!_isStopping)
                {
                    LogFailed(_log, _guest, broken.Message);
                }

                return;
            }
        }
    }

    private void Map()
    {
        vhost_user_mmap request = new()
        {
            shmid = VersionTableConstants.SharedMemoryRegionId,
            len = (ulong)_table.MemoryBytes,
            // A descriptor that cannot be written to is refused by QEMU, and the guest then can write whatever this says:
            // so each guest has a table of its own.
            flags = 0,
        };
        _channel.Send((uint)VhostUserBackendRequest.ShmemMap, VhostUserHeaderFlags.NeedReply, request, [_table.Fd]);
        using VhostUserMessage reply = new();
        if (!_channel.Receive(reply))
        {
            throw new VhostUserException("the VMM closed the back-end channel");
        }

        ulong result = reply.ReadBody<ulong>();
        if (result == 0)
        {
            LogMapped(_log, _guest, _table.MemoryBytes);
        }
        else
        {
            LogFailed(_log, _guest, $"the VMM answered {unchecked((Errno)(int)-(long)result)}");
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "{Guest}: the VMM has mapped the version table, {Bytes} bytes")]
    private static partial void LogMapped(ILogger log, string guest, long bytes);

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "{Guest}: the VMM has not mapped the version table: {Reason}. The guest gets what --cache auto means")]
    private static partial void LogFailed(ILogger log, string guest, string reason);
}
