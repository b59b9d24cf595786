using System.Runtime.InteropServices;
using Coherency.Core.Linux;
using Coherency.Core.VhostUser;
using Coherency.Core.VhostUser.Abi;
using Coherency.Guest.VhostUser;
using Coherency.Guest.Virtio;

namespace Coherency.Tests.Hostile;

/// <summary>A way to break the vhost-user protocol.</summary>
/// <param name="Logged">What the daemon must say about it; null when only the disconnect is worth a line.</param>
internal sealed record ConnectionAttack(string Name, string? Logged, Action<VhostUserFrontend> Run)
{
    public override string ToString() => Name;
}

/// <summary>Messages that no VMM sends, and a front end that goes at every step.</summary>
internal static unsafe class ConnectionAttacks
{
    private const uint Version = VhostUserHeaderFlags.Version;

    public static IReadOnlyList<ConnectionAttack> All { get; } =
    [
        .. Steps().Select((step, i) => new ConnectionAttack($"disconnect before step {i}", null, frontend => RunSteps(frontend, i))),
        new("half a header", "ended within a message header", frontend => frontend.SendBytes([1, 0, 0, 0, 1])),
        new("half a payload", "ended within a message", frontend => frontend.SendBytes(Header(VhostUserRequest.SetFeatures, Version, 8))),
        new("a wrong version", "has version 2", frontend => frontend.SendBytes(Header(VhostUserRequest.GetFeatures, 2, 0))),
        new(
            "a payload of 4 GiB",
            "announces 4294967295 bytes",
            frontend => frontend.SendBytes(Header(VhostUserRequest.SetFeatures, Version, uint.MaxValue))),
        new(
            "an unknown message",
            "refused vhost-user message 99",
            frontend => frontend.SendBytes(Header((VhostUserRequest)99, Version, 0))),
        new(
            "a payload of the wrong size",
            "carries 4 bytes",
            frontend => frontend.Connection.Send((uint)VhostUserRequest.SetFeatures, 0, new byte[4])),
        new(
            "features never offered",
            "which was not offered",
            frontend => frontend.Connection.Send((uint)VhostUserRequest.SetFeatures, 0, ulong.MaxValue)),
        new(
            "protocol features never offered",
            "which was not offered",
            frontend => frontend.Connection.Send((uint)VhostUserRequest.SetProtocolFeatures, 0, ulong.MaxValue)),
        new("a queue that does not exist", "queue 200 of 2", frontend => SetNum(frontend, 200, 64)),
        new("a ring of no entries", "a ring of 0 entries", frontend => SetNum(frontend, 1, 0)),
        new("a ring of 3 entries", "a ring of 3 entries", frontend => SetNum(frontend, 1, 3)),
        new("a ring of 65536 entries", "a ring of 65536 entries", frontend => SetNum(frontend, 1, 65536)),
        new(
            "a kick without its descriptor",
            "came with 0 file descriptors",
            frontend => frontend.Connection.Send((uint)VhostUserRequest.SetVringKick, 0, 1UL)),
        new("a memory table without descriptors", "SET_MEM_TABLE with 2 regions", frontend => SendTable(frontend, 2, [])),
        new("a memory table of nine regions", "SET_MEM_TABLE with 9 regions", frontend => SendTable(frontend, 9, [])),
        new(
            "memory beyond its file",
            "is not within its file",
            frontend => AddRegion(frontend, new() { size = 1 << 30, guest_address = 1 << 30 })),
        new("memory of no bytes", "is not within its file", frontend => AddRegion(frontend, new() { guest_address = 1 << 30 })),
        new(
            "memory whose end wraps around",
            "is not within its file",
            frontend => AddRegion(frontend, new() { size = 1 << 20, mmap_offset = ulong.MaxValue - 4096 })),
        new("memory that overlaps", "overlaps another", AddTwice),
        new(
            "memory that was never added",
            "which was never added",
            frontend => frontend.Connection.Send((uint)VhostUserRequest.RemMemReg, 0, new vhost_user_single_mem_region())),
        new(
            "configuration of 4 GiB",
            "GET_CONFIG of 4294967295 bytes",
            frontend => frontend.Connection.Send((uint)VhostUserRequest.GetConfig, 0, new vhost_user_config { size = uint.MaxValue })),
        new("a ring outside memory", "outside the guest's memory", frontend => StartWithRingAt(frontend, 0x1000)),
        new("a ring that is misaligned", "outside the guest's memory", frontend => StartWithRingAt(frontend, null)),
        new("a ring resized while it runs", "SET_VRING_NUM for queue 1, which runs", frontend => SetNumWhileRunning(frontend)),
        new("a flood of messages", null, FloodMessages),
        new("a flood of descriptors", null, FloodDescriptors),
        new("more descriptors than a message may carry", null, frontend => SendManyDescriptors(frontend)),
    ];

    private static IReadOnlyList<Action<VhostUserFrontend>> Steps() =>
    [
        f => f.NegotiateProtocol(),
        f => f.ReadConfiguration(),
        f => f.CreateMemory(),
        f => f.CreateQueues(),
        f => f.SetFeatures(),
        f => f.ShareMemory(),
        f => f.HandOverQueue(0),
        f => f.HandOverQueue(1),
        f => f.EnableQueue(0, true),
        f => f.EnableQueue(1, true),
        f => f.SetStatus(DeviceStatus.DriverOk),
        f => f.Stop(),
        f => f.ResetDevice(),
    ];

    private static void RunSteps(VhostUserFrontend frontend, int count)
    {
        foreach (Action<VhostUserFrontend> step in Steps().Take(count))
        {
            step(frontend);
        }
    }

    private static byte[] Header(VhostUserRequest request, uint flags, uint size)
    {
        vhost_user_header header = new() { request = (uint)request, flags = flags, size = size };
        return MemoryMarshal.AsBytes(new ReadOnlySpan<vhost_user_header>(in header)).ToArray();
    }

    private static void SetNum(VhostUserFrontend frontend, uint index, uint entries) =>
        frontend.Connection.Send((uint)VhostUserRequest.SetVringNum, 0, new vhost_vring_state { index = index, num = entries });

    private static void SendTable(VhostUserFrontend frontend, uint regions, ReadOnlySpan<int> fds)
    {
        byte[] payload = new byte[sizeof(vhost_user_mem_table) + (regions * sizeof(vhost_user_mem_region))];
        MemoryMarshal.Write(payload, new vhost_user_mem_table { num_regions = regions });
        frontend.Connection.Send((uint)VhostUserRequest.SetMemTable, 0, payload, fds);
    }

    private static void AddRegion(VhostUserFrontend frontend, vhost_user_mem_region region)
    {
        frontend.CreateMemory();
        frontend.Connection.Send(
            (uint)VhostUserRequest.AddMemReg, 0, new vhost_user_single_mem_region { region = region }, [frontend.Memory.Fd]);
    }

    private static void AddTwice(VhostUserFrontend frontend)
    {
        vhost_user_mem_region region = new() { size = 1 << 16, guest_address = 1 << 30 };
        AddRegion(frontend, region);
        AddRegion(frontend, region);
    }

    private static void StartWithRingAt(VhostUserFrontend frontend, ulong? address)
    {
        frontend.NegotiateProtocol();
        frontend.CreateMemory();
        frontend.CreateQueues();
        frontend.SetFeatures();
        frontend.ShareMemory();
        RawVirtqueue queue = frontend.Queues[1];
        SetNum(frontend, 1, (uint)queue.Size);
        ulong descriptors = address ?? ((ulong)queue.Descriptors.Pointer + 1);
        frontend.Connection.Send((uint)VhostUserRequest.SetVringAddr, 0, new vhost_vring_addr { index = 1, descriptor = descriptors });
        frontend.Connection.Send((uint)VhostUserRequest.SetVringEnable, 0, new vhost_vring_state { index = 1, num = 1 });
        frontend.Connection.Send((uint)VhostUserRequest.SetVringKick, 0, 1UL, [queue.Kick.Fd]);
    }

    private static void SetNumWhileRunning(VhostUserFrontend frontend)
    {
        frontend.Start();
        SetNum(frontend, 1, 64);
    }

    private static void FloodMessages(VhostUserFrontend frontend)
    {
        for (int i = 0; i < 1000; i++)
        {
            frontend.Connection.Send((uint)VhostUserRequest.SetOwner, 0, []);
        }
    }

    /// <summary>Descriptors on messages that take none.</summary>
    private static void FloodDescriptors(VhostUserFrontend frontend)
    {
        Span<int> fds = stackalloc int[VhostUserConnection.FdCountMax];
        fds.Fill(frontend.SocketFd);
        for (int i = 0; i < 100; i++)
        {
            frontend.Connection.Send((uint)VhostUserRequest.SetOwner, 0, [], fds);
        }
    }

    private static void SendManyDescriptors(VhostUserFrontend frontend)
    {
        const int Count = 64;
        int controlBytes = sizeof(cmsghdr) + (Count * sizeof(int));
        byte* control = stackalloc byte[controlBytes];
        *(cmsghdr*)control = new cmsghdr
        {
            cmsg_len = (nuint)controlBytes,
            cmsg_level = SocketFlags.SOL_SOCKET,
            cmsg_type = SocketFlags.SCM_RIGHTS,
        };
        new Span<int>(control + sizeof(cmsghdr), Count).Fill(frontend.SocketFd);
        fixed (byte* bytes = Header(VhostUserRequest.SetOwner, Version, 0))
        {
            IoVec vector = new(bytes, (nuint)sizeof(vhost_user_header));
            msghdr message = new() { msg_iov = &vector, msg_iovlen = 1, msg_control = control, msg_controllen = (nuint)controlBytes };
            LinuxException.Check(Libc.SendMsg(frontend.SocketFd, &message, SocketFlags.MSG_NOSIGNAL), "sendmsg");
        }
    }
}
