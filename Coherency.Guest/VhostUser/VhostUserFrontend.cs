using System.Runtime.InteropServices;
using System.Text;
using Coherency.Core.Linux;
using Coherency.Core.VhostUser;
using Coherency.Core.VhostUser.Abi;
using Coherency.Core.Virtio;
using Coherency.Core.Virtio.Abi;
using Coherency.Guest.Virtio;

namespace Coherency.Guest.VhostUser;

/// <summary>
/// The VMM's part: connects to a vhost-user-fs socket, agrees on features, shares memory and hands over the virtqueues. Each
/// step of the handshake is a method of its own, so that a test can stop, repeat or reorder them; <see cref="Start"/> does
/// them all as QEMU would. Queue 0 is the high-priority queue, the request queues follow.
/// </summary>
/// <remarks>
/// For hostile input: <see cref="Connection"/> sends any message, <see cref="SendBytes"/> any bytes, and the rings in
/// <see cref="Queues"/> take any content. <see cref="Dispose"/> disconnects at any step.
/// </remarks>
public sealed unsafe partial class VhostUserFrontend : IDisposable
{
    private readonly Lock _exchange = new();
    private readonly VhostUserMessage _reply = new();
    private long _memoryMark;
    private bool _disposed;

    private VhostUserFrontend(int socketFd, FrontendOptions options)
    {
        Options = options;
        Connection = new VhostUserConnection(socketFd);

        // A daemon that hangs is reported as a broken connection; without this the guest would hang with it.
        _ = Libc.SetReceiveTimeout(socketFd, options.ReplyTimeoutSeconds);
    }

    public FrontendOptions Options { get; }

    /// <summary>
    /// The message channel; <see cref="VhostUserConnection.Send(uint, uint, ReadOnlySpan{byte}, ReadOnlySpan{int})"/> takes anything.
    /// </summary>
    public VhostUserConnection Connection { get; }

    /// <summary>The socket, owned by <see cref="Connection"/>.</summary>
    public int SocketFd => Connection.Fd;

    /// <summary>What the daemon offers; set by <see cref="NegotiateProtocol"/>.</summary>
    public VirtioFeatures OfferedFeatures { get; private set; }

    /// <summary>What both sides agreed on.</summary>
    public VirtioFeatures Features { get; private set; }

    public VhostUserProtocolFeatures OfferedProtocolFeatures { get; private set; }

    public VhostUserProtocolFeatures ProtocolFeatures { get; private set; }

    /// <summary>Queues that the daemon supports, the high-priority one included; null when it was not asked.</summary>
    public int? QueuesMax { get; private set; }

    /// <summary>The mount tag of the device's configuration; null when the daemon does not offer it (QEMU's own virtiofsd).</summary>
    public string? Tag { get; private set; }

    /// <summary>Request queues of the device's configuration; null when the daemon does not offer it.</summary>
    public int? ConfiguredRequestQueues { get; private set; }

    /// <summary>Guest memory; set by <see cref="ShareMemory"/>.</summary>
    public GuestRam Memory => _memory ?? throw new InvalidOperationException("memory is not shared yet");

    /// <summary>Sizes of the device's shared memory regions; set by <see cref="OpenWindow"/>.</summary>
    public vhost_user_shmem_config SharedMemory { get; private set; }

    /// <summary>What the daemon has mapped there; set by <see cref="OpenWindow"/>.</summary>
    public DeviceWindow? Window { get; private set; }

    /// <summary>The high-priority queue, then the request queues; set by <see cref="CreateQueues"/>.</summary>
    public IReadOnlyList<RawVirtqueue> Queues => _queues;

    /// <summary>Connects without sending anything.</summary>
    /// <exception cref="LinuxException">Nobody listens at <paramref name="socketPath"/>.</exception>
    public static VhostUserFrontend Connect(string socketPath, FrontendOptions? options = null)
    {
        options ??= new FrontendOptions();
        return new VhostUserFrontend(UnixSocket.Connect(socketPath, options.ConnectTimeoutMs), options);
    }

    /// <summary>Does the whole handshake; the device is ready for requests afterwards.</summary>
    /// <exception cref="VhostUserException">The daemon refused a step or broke the protocol.</exception>
    public void Start()
    {
        NegotiateProtocol();
        ReadConfiguration();
        CreateMemory();
        CreateQueues();
        SetFeatures();
        OpenWindow();
        ShareMemory();
        HandOverQueues();
        SetStatus(DeviceStatus.DriverOk);
    }

    /// <summary>Takes the queues back: the daemon finishes what it has and touches the rings no more.</summary>
    public void Stop()
    {
        for (int i = 0; i < _queues.Length; i++)
        {
            StopQueue(i);
        }
    }

    /// <summary>What a VMM does that stops its machine and lets it go on: the rings go on where they were.</summary>
    public void StopAndContinue()
    {
        ushort[] bases = new ushort[_queues.Length];
        for (int i = 0; i < bases.Length; i++)
        {
            bases[i] = StopQueue(i);
        }

        HandOverQueues(bases);
    }

    /// <summary>
    /// What a guest's reboot does: takes the queues back, resets the device, and hands zeroed queues over again. Every buffer
    /// allocated since the first start is gone, so that a new FUSE connection can be made.
    /// </summary>
    public void Restart()
    {
        Stop();
        ResetDevice();
        Memory.ReleaseTo(_memoryMark);
        ResetQueues();
        SetFeatures();
        HandOverQueues();
        SetStatus(DeviceStatus.DriverOk);
    }

    /// <summary>Sends bytes that need not be a message.</summary>
    public void SendBytes(ReadOnlySpan<byte> bytes)
    {
        // SAFETY: as many bytes as the span has.
        fixed (byte* start = bytes)
        {
            LinuxException.Check(Libc.Write(SocketFd, start, (nuint)bytes.Length), "writing to the vhost-user socket");
        }
    }

    /// <summary>
    /// Ends the connection and frees rings and memory; the daemon sees a guest whose VMM has gone. Other threads' requests end with
    /// <see cref="DeviceGoneException"/>, or <see cref="ObjectDisposedException"/> when they begin later.
    /// </summary>
    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        Connection.Shutdown();
        Window?.Dispose();
        _reply.Dispose();
        if (_memory is null)
        {
            Connection.Dispose();
            return;
        }

        // Whoever waits for a reply polls the socket: it is closed when the last of them has gone, and ended now.
        Connection.Shutdown();
        _memory.Own(Connection);
        _memory.Dispose();
    }

    private static string ReadTag(in virtio_fs_config config)
    {
        // SAFETY: the field has TagBytes.
        fixed (byte* tag = config.tag)
        {
            ReadOnlySpan<byte> bytes = new(tag, virtio_fs_config.TagBytes);
            int end = bytes.IndexOf((byte)0);
            return Encoding.UTF8.GetString(end < 0 ? bytes : bytes[..end]);
        }
    }

    private static ReadOnlySpan<byte> BytesOf<T>(in T value)
        where T : unmanaged => MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value));
}
