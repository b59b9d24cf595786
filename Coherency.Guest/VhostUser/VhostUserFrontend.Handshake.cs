using System.Runtime.InteropServices;
using Coherency.Core.Linux;
using Coherency.Core.VhostUser;
using Coherency.Core.VhostUser.Abi;
using Coherency.Core.Virtio;
using Coherency.Core.Virtio.Abi;
using Coherency.Guest.Virtio;

namespace Coherency.Guest.VhostUser;

/// <summary>The VIRTIO device status, as a driver sets it step by step (VIRTIO 1.2, 2.1).</summary>
[Flags]
public enum DeviceStatus : byte
{
    Reset = 0,
    Acknowledge = 1,
    Driver = 2,
    FeaturesOk = 8,

    /// <summary>All of the above and the device is in use.</summary>
    DriverOk = Acknowledge | Driver | FeaturesOk | 4,
}

public sealed unsafe partial class VhostUserFrontend
{
    private const int HighPriorityQueues = 1;

    private const VhostUserProtocolFeatures SharedMemoryFeatures =
        VhostUserProtocolFeatures.BackendReq | VhostUserProtocolFeatures.BackendSendFd | VhostUserProtocolFeatures.Shmem;

    private GuestRam? _memory;
    private RawVirtqueue[] _queues = [];

    /// <summary>Asks for both kinds of features, accepts what the options want of them, and becomes the owner.</summary>
    public void NegotiateProtocol()
    {
        OfferedFeatures = (VirtioFeatures)Ask<ulong>(VhostUserRequest.GetFeatures);
        if (OfferedFeatures.HasFlag(VirtioFeatures.VhostUserProtocolFeatures))
        {
            OfferedProtocolFeatures = (VhostUserProtocolFeatures)Ask<ulong>(VhostUserRequest.GetProtocolFeatures);
            VhostUserProtocolFeatures wanted = Options.ProtocolFeatures | (Options.Window is null ? 0 : SharedMemoryFeatures);
            ulong accepted = (ulong)(OfferedProtocolFeatures & wanted);
            Tell(VhostUserRequest.SetProtocolFeatures, accepted);
            ProtocolFeatures = (VhostUserProtocolFeatures)accepted;
        }

        if (ProtocolFeatures.HasFlag(VhostUserProtocolFeatures.MultiQueue))
        {
            QueuesMax = (int)Ask<ulong>(VhostUserRequest.GetQueueNum);
        }

        Tell(VhostUserRequest.SetOwner);
    }

    /// <summary>Reads the device's configuration space where the daemon offers it.</summary>
    public void ReadConfiguration()
    {
        if (!ProtocolFeatures.HasFlag(VhostUserProtocolFeatures.Config))
        {
            return;
        }

        Span<byte> payload = stackalloc byte[sizeof(vhost_user_config) + sizeof(virtio_fs_config)];
        payload.Clear();
        MemoryMarshal.Write(payload, new vhost_user_config { size = (uint)sizeof(virtio_fs_config) });
        lock (_exchange)
        {
            Connection.Send((uint)VhostUserRequest.GetConfig, 0, payload);
            ReceiveReply(VhostUserRequest.GetConfig);
            if (_reply.Payload.Length != payload.Length)
            {
                throw new VhostUserException($"GET_CONFIG answered {_reply.Payload.Length} bytes, {payload.Length} are right");
            }

            // SAFETY: the reply was found to be as long as what was sent, which had room for it.
            var config = MemoryMarshal.Read<virtio_fs_config>(_reply.Payload[sizeof(vhost_user_config)..]);
            Tag = ReadTag(config);
            ConfiguredRequestQueues = (int)config.num_request_queues;
        }
    }

    /// <summary>Makes the guest's memory; the daemon is not told yet.</summary>
    public void CreateMemory() => _memory ??= GuestRam.Create(Options.MemoryBytes, Options.MemoryRegions, Options.MemoryFolder);

    /// <summary>Allocates the rings; the daemon is not told yet.</summary>
    public void CreateQueues()
    {
        int requestQueues = Options.RequestQueues > 0 ? Options.RequestQueues : ConfiguredRequestQueues ?? 1;
        _queues = new RawVirtqueue[HighPriorityQueues + requestQueues];
        for (int i = 0; i < _queues.Length; i++)
        {
            _queues[i] = new RawVirtqueue(Memory, Options.QueueSize);
        }

        ResetQueues();
        _memoryMark = Memory.Used;
    }

    /// <summary>Zeroes the rings; the daemon must not be using them.</summary>
    public void ResetQueues()
    {
        foreach (RawVirtqueue queue in _queues)
        {
            queue.Reset(Options.StartIndex);
        }
    }

    /// <summary>Tells the accepted VIRTIO features and the status that goes with them.</summary>
    public void SetFeatures()
    {
        Features = OfferedFeatures & Options.Features;
        SetStatus(DeviceStatus.Acknowledge | DeviceStatus.Driver);
        Tell(VhostUserRequest.SetFeatures, (ulong)Features);
        SetStatus(DeviceStatus.Acknowledge | DeviceStatus.Driver | DeviceStatus.FeaturesOk);
    }

    /// <summary>Tells the daemon of all memory regions.</summary>
    public void ShareMemory()
    {
        if (Options.UseMemorySlots && ProtocolFeatures.HasFlag(VhostUserProtocolFeatures.ConfigureMemSlots))
        {
            foreach (GuestRamRegion region in Memory.Regions)
            {
                AddMemoryRegion(region);
            }
        }
        else
        {
            SetMemoryTable();
        }
    }

    /// <summary>ADD_MEM_REG.</summary>
    public void AddMemoryRegion(in GuestRamRegion region) =>
        Tell(VhostUserRequest.AddMemReg, BytesOf(new vhost_user_single_mem_region { region = ToWire(region) }), [Memory.Fd]);

    /// <summary>The regions' sizes, and the channel on which the daemon says what goes there; where it offers them.</summary>
    public void OpenWindow()
    {
        if (Options.Window is { } options && ProtocolFeatures.HasFlag(VhostUserProtocolFeatures.Shmem))
        {
            SharedMemory = Ask<vhost_user_shmem_config>(VhostUserRequest.GetShmemConfig);
            Window = DeviceWindow.Open(this, options);
        }
    }

    /// <summary>ADD_MEM_REG of something else than the guest's own memory.</summary>
    internal void AddMemoryRegion(ulong guestAddress, MemoryMapping mapping, long fileOffset, int fd) => Tell(
        VhostUserRequest.AddMemReg, BytesOf(new vhost_user_single_mem_region { region = ToWire(guestAddress, mapping, fileOffset) }), [fd]);

    /// <summary>REM_MEM_REG of the same.</summary>
    internal void RemoveMemoryRegion(ulong guestAddress, MemoryMapping mapping) => Tell(
        VhostUserRequest.RemMemReg, BytesOf(new vhost_user_single_mem_region { region = ToWire(guestAddress, mapping, 0) }), []);

    /// <summary>REM_MEM_REG.</summary>
    public void RemoveMemoryRegion(in GuestRamRegion region) =>
        Tell(VhostUserRequest.RemMemReg, BytesOf(new vhost_user_single_mem_region { region = ToWire(region) }), []);

    /// <summary>SET_MEM_TABLE with every region.</summary>
    public void SetMemoryTable()
    {
        int count = Memory.Regions.Count;
        Span<byte> payload = new byte[sizeof(vhost_user_mem_table) + (count * sizeof(vhost_user_mem_region))];
        Span<int> fds = new int[count];
        MemoryMarshal.Write(payload, new vhost_user_mem_table { num_regions = (uint)count });
        for (int i = 0; i < count; i++)
        {
            MemoryMarshal.Write(payload[(sizeof(vhost_user_mem_table) + (i * sizeof(vhost_user_mem_region)))..], ToWire(Memory.Regions[i]));
            fds[i] = Memory.Fd;
        }

        Tell(VhostUserRequest.SetMemTable, payload, fds);
    }

    /// <summary>Hands every ring over and enables it.</summary>
    /// <param name="bases">Where each ring goes on; at <see cref="FrontendOptions.StartIndex"/> when not given.</param>
    public void HandOverQueues(ushort[]? bases = null)
    {
        for (int i = 0; i < _queues.Length; i++)
        {
            HandOverQueue(i, bases?[i]);
        }

        for (int i = 0; i < _queues.Length; i++)
        {
            EnableQueue(i, true);
        }
    }

    /// <summary>SET_VRING_NUM, BASE, ADDR, CALL, ERR and KICK of one ring; the kick starts it.</summary>
    public void HandOverQueue(int index, ushort? start = null)
    {
        RawVirtqueue queue = _queues[index];
        uint ring = (uint)index;
        Tell(VhostUserRequest.SetVringNum, new vhost_vring_state { index = ring, num = (uint)queue.Size });
        Tell(VhostUserRequest.SetVringBase, new vhost_vring_state { index = ring, num = start ?? Options.StartIndex });
        Tell(VhostUserRequest.SetVringAddr, new vhost_vring_addr
        {
            index = ring,
            descriptor = (ulong)queue.Descriptors.Pointer,
            available = (ulong)queue.Available.Pointer,
            used = (ulong)queue.Used.Pointer,
        });
        ulong word = ring;
        Tell(VhostUserRequest.SetVringCall, BytesOf(word), [queue.Call.Fd]);
        Tell(VhostUserRequest.SetVringErr, BytesOf(word), [queue.Error.Fd]);
        Tell(VhostUserRequest.SetVringKick, BytesOf(word), [queue.Kick.Fd]);
    }

    /// <summary>SET_VRING_ENABLE; without protocol features a ring is enabled from its kick on.</summary>
    public void EnableQueue(int index, bool enable)
    {
        if (Features.HasFlag(VirtioFeatures.VhostUserProtocolFeatures))
        {
            Tell(VhostUserRequest.SetVringEnable, new vhost_vring_state { index = (uint)index, num = enable ? 1u : 0 });
        }
    }

    /// <summary>GET_VRING_BASE: stops one ring; returns the index of the available ring that the daemon would take next.</summary>
    public ushort StopQueue(int index) =>
        (ushort)Ask<vhost_vring_state, vhost_vring_state>(VhostUserRequest.GetVringBase, new vhost_vring_state { index = (uint)index }).num;

    /// <summary>RESET_DEVICE where agreed, as when a guest reboots.</summary>
    public void ResetDevice()
    {
        if (ProtocolFeatures.HasFlag(VhostUserProtocolFeatures.ResetDevice))
        {
            Tell(VhostUserRequest.ResetDevice);
        }

        SetStatus(DeviceStatus.Reset);
    }

    /// <summary>SET_STATUS where agreed.</summary>
    public void SetStatus(DeviceStatus status)
    {
        if (ProtocolFeatures.HasFlag(VhostUserProtocolFeatures.Status))
        {
            Tell(VhostUserRequest.SetStatus, (ulong)status);
        }
    }

    /// <summary>GET_STATUS.</summary>
    public DeviceStatus GetStatus() => (DeviceStatus)Ask<ulong>(VhostUserRequest.GetStatus);

    private static vhost_user_mem_region ToWire(ulong guestAddress, MemoryMapping mapping, long fileOffset) => new()
    {
        guest_address = guestAddress,
        size = mapping.Length,
        user_address = (ulong)mapping.Start,
        mmap_offset = (ulong)fileOffset,
    };

    private static vhost_user_mem_region ToWire(in GuestRamRegion region) => new()
    {
        guest_address = region.GuestAddress,
        size = region.Size,
        user_address = region.UserAddress,
        mmap_offset = region.FileOffset,
    };
}
