using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Coherency.Core.Linux;
using Coherency.Core.Versioning.Abi;
using Coherency.Core.VhostUser;
using Coherency.Core.VhostUser.Abi;
using Coherency.Core.Virtio;
using Coherency.Core.Virtio.Abi;
using Coherency.Host.Server;
using Microsoft.Extensions.Logging;

namespace Coherency.Host.Transports.VhostUser;

/// <summary>
/// The back end of one connection (QEMU docs/interop/vhost-user.rst): answers the front end's messages and runs the queues
/// that they set up. One thread calls it. When it is disposed, nothing of the guest is left: no thread, no memory, no
/// descriptor, and the session has been reset.
/// </summary>
internal sealed partial class VhostUserBackend : IDisposable
{
    private const VirtioFeatures OfferedFeatures =
        VirtioFeatures.Version1 | VirtioFeatures.EventIdx | VirtioFeatures.IndirectDesc
        | VirtioFeatures.VhostUserProtocolFeatures;

    private const VhostUserProtocolFeatures StandardProtocolFeatures =
        VhostUserProtocolFeatures.MultiQueue | VhostUserProtocolFeatures.ReplyAck | VhostUserProtocolFeatures.BackendReq
        | VhostUserProtocolFeatures.Config | VhostUserProtocolFeatures.BackendSendFd | VhostUserProtocolFeatures.ResetDevice
        | VhostUserProtocolFeatures.ConfigureMemSlots | VhostUserProtocolFeatures.Status;

    private readonly VhostUserConnection _connection;
    private readonly GuestOptions _options;
    private readonly FuseSession _session;
    private readonly ILogger _log;
    private readonly DeviceMemory _memory;
    private readonly Vring[] _vrings;
    private readonly VhostUserProtocolFeatures _offeredProtocolFeatures;
    private readonly LentFiles _lent = new();
    private readonly LentFile? _lentTable;
    private VhostUserConnection? _unusedChannel;
    private BackendChannel? _channel;
    private SharedTable? _table;
    private DaxWindow? _window;
    private VirtioFeatures _features;
    private VhostUserProtocolFeatures _protocolFeatures;
    private byte _status;

    /// <param name="loads">One for each queue: learn of its worker.</param>
    public VhostUserBackend(
        VhostUserConnection connection, GuestOptions options, FuseSession session, IReadOnlyList<QueueLoad> loads, ILogger log)
    {
        _connection = connection;
        _options = options;
        _session = session;
        _log = log;
        _memory = new DeviceMemory(LoseMemory, _lent);
        if (options.Table is { } table)
        {
            _lentTable = _lent.Add(table.Fd);
        }

        _offeredProtocolFeatures = StandardProtocolFeatures
            & (options.OffersConfiguration ? ~VhostUserProtocolFeatures.None : ~VhostUserProtocolFeatures.Config)
            | (options.Table is null ? VhostUserProtocolFeatures.None : VhostUserProtocolFeatures.Shmem);
        _vrings = new Vring[1 + options.RequestQueues];
        for (uint i = 0; i < _vrings.Length; i++)
        {
            _vrings[i] = new Vring(i, StartWorker);
        }

        QueueWorker StartWorker(Vring vring, Virtqueue queue)
        {
            string name = $"{options.Name}-{(vring.Index == 0 ? "hiprio" : $"q{vring.Index - 1}")}";
            LogQueueStarted(log, options.Name, vring.Index, queue.Entries);
            // Before it takes a request.
            session.Interrupt();
            // The high-priority queue brings FORGETs, for which nobody waits.
            QueueOptions queueOptions = vring.Index == 0
                ? new QueueOptions(PollMicroseconds: 0, ThreadPoolSize: 0) { Gathers = true }
                : options.Queue;
            QueueWorker worker = new(name, queue, vring.Kick, vring.Call, vring.Error, session, queueOptions, log, connection.Shutdown);
            loads[(int)vring.Index].Use(worker);
            return worker;
        }
    }

    /// <summary>Request queues that run.</summary>
    public int QueuesInUse => _vrings.Skip(1).Count(vring => vring.IsRunning);

    /// <summary>Serves messages until the front end goes.</summary>
    /// <exception cref="VhostUserException">The front end broke the protocol, or its connection broke.</exception>
    public void Run()
    {
        using VhostUserMessage message = new();
        while (_connection.Receive(message))
        {
            Handle(message);
        }
    }

    public void Dispose()
    {
        // First: who waits for an answer of the VMM holds up the end of its queue.
        CloseBackendChannel();
        foreach (Vring vring in _vrings)
        {
            vring.Dispose();
        }

        _session.Reset();
        _memory.Dispose();
    }

    /// <summary>Requests that touched it have found zeros, or answered where nobody sees it.</summary>
    private void LoseMemory()
    {
        _connection.Shutdown();
        LogMemoryLost(_log, _options.Name);
    }

    /// <summary>One line per message. Messages without a reply of their own are acknowledged when the front end asks.</summary>
    private void Handle(VhostUserMessage message)
    {
        switch ((VhostUserRequest)message.RawRequest)
        {
            case VhostUserRequest.GetFeatures: Reply(message, (ulong)OfferedFeatures); break;
            case VhostUserRequest.GetProtocolFeatures: Reply(message, (ulong)_offeredProtocolFeatures); break;
            case VhostUserRequest.GetQueueNum: Reply(message, (ulong)_vrings.Length); break;
            case VhostUserRequest.GetMaxMemSlots: Reply(message, (ulong)DeviceMemory.RegionsMax); break;
            case VhostUserRequest.GetStatus: Reply(message, (ulong)_status); break;
            case VhostUserRequest.GetConfig: GetConfig(message); break;
            case VhostUserRequest.GetShmemConfig: GetShmemConfig(message); break;
            case VhostUserRequest.GetVringBase: GetVringBase(message); break;
            default: Acknowledge(message, Carry(message)); break;
        }
    }

    /// <summary>Carries out a message that has no reply of its own; false when it is not one that is known.</summary>
    private bool Carry(VhostUserMessage message)
    {
        switch ((VhostUserRequest)message.RawRequest)
        {
            case VhostUserRequest.SetOwner: break;
            case VhostUserRequest.SetFeatures: SetFeatures(message.ReadBody<ulong>()); break;
            case VhostUserRequest.SetProtocolFeatures: SetProtocolFeatures(message.ReadBody<ulong>()); break;
            case VhostUserRequest.SetMemTable: _memory.SetTable(message); UseMemory(); break;
            case VhostUserRequest.AddMemReg: UseMemory(_memory.Add(message)); break;
            case VhostUserRequest.RemMemReg: UseMemory(_memory.Remove(message)); break;
            case VhostUserRequest.SetVringNum: SetVringNum(message.ReadBody<vhost_vring_state>()); break;
            case VhostUserRequest.SetVringAddr: SetVringAddr(message.ReadBody<vhost_vring_addr>()); break;
            case VhostUserRequest.SetVringBase: SetVringBase(message.ReadBody<vhost_vring_state>()); break;
            case VhostUserRequest.SetVringEnable: SetVringEnable(message.ReadBody<vhost_vring_state>()); break;
            case VhostUserRequest.SetVringKick: SetVringKick(message); break;
            case VhostUserRequest.SetVringCall:
                TakeVringEvent(message, out Vring called, out EventFd? call);
                called.Call.Replace(call);
                break;
            case VhostUserRequest.SetVringErr:
                TakeVringEvent(message, out Vring broken, out EventFd? err);
                broken.Error.Replace(err);
                break;
            case VhostUserRequest.SetBackendReqFd: SetBackendReqFd(message); break;
            case VhostUserRequest.SetStatus: _status = (byte)message.ReadBody<ulong>(); break;
            case VhostUserRequest.ResetDevice: ResetDevice(); break;
            case VhostUserRequest.ResetOwner: ResetDevice(); break;
            default: return false;
        }

        return true;
    }

    private void SetFeatures(ulong features)
    {
        VirtioFeatures unknown = (VirtioFeatures)features & ~OfferedFeatures;
        if (unknown != 0)
        {
            throw new VhostUserException($"SET_FEATURES asks for {unknown:x}, which was not offered");
        }

        _features = (VirtioFeatures)features;
        if (!_features.HasFlag(VirtioFeatures.VhostUserProtocolFeatures))
        {
            // Without protocol features there is no SET_VRING_ENABLE: rings are enabled from the start.
            foreach (Vring vring in _vrings)
            {
                vring.SetEnabled(true);
            }
        }
    }

    private void SetProtocolFeatures(ulong features)
    {
        VhostUserProtocolFeatures unknown = (VhostUserProtocolFeatures)features & ~_offeredProtocolFeatures;
        _protocolFeatures = unknown == 0
            ? (VhostUserProtocolFeatures)features
            : throw new VhostUserException($"SET_PROTOCOL_FEATURES asks for {(ulong)unknown:x}, which was not offered");
    }

    private void UseMemory(bool isAnother = true)
    {
        if (!isAnother)
        {
            return;
        }

        foreach (Vring vring in _vrings)
        {
            vring.UseMemory(_memory.Current!);
            vring.StartIfReady(_memory.Current, _features);
        }
    }

    private void SetVringNum(in vhost_vring_state state) => VringOf(state.index).SetEntries(state.num);

    private void SetVringAddr(in vhost_vring_addr address) => VringOf(address.index).SetAddress(address);

    private void SetVringBase(in vhost_vring_state state)
    {
        if (VringOf(state.index).SetBase(state.num))
        {
            LogNewDriver(_log, _options.Name);
            _session.Reset();
        }
    }

    private void SetVringEnable(in vhost_vring_state state)
    {
        Vring vring = VringOf(state.index);
        vring.SetEnabled(state.num != 0);
        vring.StartIfReady(_memory.Current, _features);
        if (state is { index: 0, num: not 0 })
        {
            // The driver is about to use the device: by now every mapping that a reset dropped can be made again.
            _table?.RequestMap();
        }
    }

    private void SetVringKick(VhostUserMessage message)
    {
        TakeVringEvent(message, out Vring vring, out EventFd? kick);
        try
        {
            vring.SetKick(kick);
        }
        catch (VhostUserException)
        {
            kick?.Dispose();
            throw;
        }

        vring.StartIfReady(_memory.Current, _features);
    }

    private void TakeVringEvent(VhostUserMessage message, out Vring vring, out EventFd? taken)
    {
        ulong word = message.ReadBody<ulong>();
        vring = VringOf((uint)(word & VringFdWord.IndexMask));
        bool hasFd = (word & VringFdWord.NoFd) == 0;
        if (hasFd != (message.FdCount == 1))
        {
            throw new VhostUserException(
                $"message {message.RawRequest} for queue {vring.Index} came with {message.FdCount} file descriptors");
        }

        taken = hasFd ? TakeEvent(message) : null;
    }

    /// <summary>A descriptor that blocks would let the VMM hold up whoever signals it: other guests' lock waits, say.</summary>
    private static EventFd TakeEvent(VhostUserMessage message)
    {
        EventFd taken = new(message.TakeFd(0));
        int flags = Libc.Fcntl(taken.Fd, LockFlags.F_GETFL, 0);
        int result = flags < 0 ? flags : Libc.Fcntl(taken.Fd, LockFlags.F_SETFL, flags | OpenFlags.O_NONBLOCK);
        if (result < 0)
        {
            taken.Dispose();
            throw new VhostUserException($"message {message.RawRequest} brought a file descriptor that cannot be used: {result.ToErrno()}");
        }

        return taken;
    }

    private void SetBackendReqFd(VhostUserMessage message)
    {
        if (message.FdCount != 1)
        {
            throw new VhostUserException($"SET_BACKEND_REQ_FD came with {message.FdCount} file descriptors");
        }

        CloseBackendChannel();
        VhostUserConnection connection = new(message.TakeFd(0));
        if (_options.Table is { } table && _protocolFeatures.HasFlag(VhostUserProtocolFeatures.Shmem))
        {
            _channel = new BackendChannel(connection, _options.Name, problem => LogChannelEnded(_log, _options.Name, problem));
            _table = new SharedTable(_channel, table, _options.Name, _log);
            if (_options.SharedMemory.WindowBytes > 0)
            {
                _window = new DaxWindow(
                    _channel, _lent, _lentTable!.Value, _options.SharedMemory.WindowBytes, _options.Name, _log);
                _session.UseWindow(_window);
            }
        }
        else
        {
            // The VMM would take its end for ours.
            _unusedChannel = connection;
        }
    }

    private void CloseBackendChannel()
    {
        _session.UseWindow(null);
        _table = null;
        _channel?.Dispose();
        _channel = null;
        _window?.Dispose();
        _window = null;
        _unusedChannel?.Dispose();
        _unusedChannel = null;
    }

    private void GetVringBase(VhostUserMessage message)
    {
        vhost_vring_state state = message.ReadBody<vhost_vring_state>();
        Vring vring = VringOf(state.index);
        ushort next = vring.Stop();
        // Before the answer, after which the VMM may do with the machine what it likes.
        _session.Interrupt();
        Reply(message, new vhost_vring_state { index = vring.Index, num = next });
    }

    private void ResetDevice()
    {
        foreach (Vring vring in _vrings)
        {
            vring.Stop();
            vring.SetEnabled(!_features.HasFlag(VirtioFeatures.VhostUserProtocolFeatures));
        }

        _status = 0;
        _session.Reset();
        LogReset(_log, _options.Name);
    }

    private unsafe void GetConfig(VhostUserMessage message)
    {
        int headerBytes = sizeof(vhost_user_config);
        Span<byte> payload = message.Payload;
        // SAFETY: read from a copy, and only if it is there; lengths and offset are compared below before they are
        // used.
        vhost_user_config header = payload.Length >= headerBytes ? MemoryMarshal.Read<vhost_user_config>(payload) : default;
        if (payload.Length != headerBytes + header.size || (ulong)header.offset + header.size > (ulong)VhostUserConnection.PayloadBytesMax)
        {
            throw new VhostUserException($"GET_CONFIG of {header.size} bytes at {header.offset} in a message of {payload.Length}");
        }

        virtio_fs_config config = default;
        // SAFETY: the field has TagBytes, of a local; a longer tag GetBytes refuses.
        Encoding.UTF8.GetBytes(_options.Tag, new Span<byte>(config.tag, virtio_fs_config.TagBytes));
        config.num_request_queues = (uint)_options.RequestQueues;
        Span<byte> answer = payload[headerBytes..];
        answer.Clear();
        ReadOnlySpan<byte> space = MemoryMarshal.AsBytes(new ReadOnlySpan<virtio_fs_config>(in config));
        ReadOnlySpan<byte> asked = header.offset < space.Length ? space[(int)header.offset..] : default;
        asked[..Math.Min(asked.Length, answer.Length)].CopyTo(answer);
        _connection.Send(message.RawRequest, VhostUserHeaderFlags.Reply, payload);
    }

    private unsafe void GetShmemConfig(VhostUserMessage message)
    {
        vhost_user_shmem_config reply = default;
        if (_options.Table is not null)
        {
            SharedMemoryLayout layout = _options.SharedMemory;
            reply.nregions = layout.WindowBytes > 0 ? 2u : 1;
            // SAFETY: both ids are constants below the 256 that the field has.
            reply.memory_sizes[VersionTableConstants.SharedMemoryRegionId] = (ulong)layout.TableBytes;
            reply.memory_sizes[DaxWindow.RegionId] = (ulong)layout.WindowBytes;
        }

        Reply(message, reply);
    }

    private Vring VringOf(uint index) => index < (uint)_vrings.Length
        ? _vrings[index]
        : throw new VhostUserException($"queue {index} of {_vrings.Length}");

    private void Acknowledge(VhostUserMessage message, bool isKnown)
    {
        if (!isKnown)
        {
            LogUnknown(_log, _options.Name, message.RawRequest);
        }

        if (message.NeedsReply && _protocolFeatures.HasFlag(VhostUserProtocolFeatures.ReplyAck))
        {
            Reply(message, isKnown ? 0UL : 1UL);
        }
    }

    private void Reply<T>(VhostUserMessage message, in T body)
        where T : unmanaged => _connection.Send(message.RawRequest, VhostUserHeaderFlags.Reply, body);

    [LoggerMessage(Level = LogLevel.Debug, Message = "{Guest}: queue {Index} runs with {Entries} entries")]
    private static partial void LogQueueStarted(ILogger log, string guest, uint index, uint entries);

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "{Guest}: nothing can be shown to the guest in shared memory any more: {Problem}")]
    private static partial void LogChannelEnded(ILogger log, string guest, string problem);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Guest}: another driver has taken over, what the previous one held is dropped")]
    private static partial void LogNewDriver(ILogger log, string guest);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Guest}: device reset")]
    private static partial void LogReset(ILogger log, string guest);

    [LoggerMessage(
        Level = LogLevel.Error,
        Message = "{Guest}: a page of the guest's memory cannot be had, so its connection ends: the memory file has become shorter, or " +
            "its file system is full. Use memory-backend-memfd, or prealloc=on")]
    private static partial void LogMemoryLost(ILogger log, string guest);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Guest}: refused vhost-user message {Request}, which is not known")]
    private static partial void LogUnknown(ILogger log, string guest, uint request);
}
