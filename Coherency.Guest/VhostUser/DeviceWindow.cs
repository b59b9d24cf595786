using Coherency.Core.Linux;
using Coherency.Core.VhostUser;
using Coherency.Core.VhostUser.Abi;

namespace Coherency.Guest.VhostUser;

/// <summary>How a front end treats what a back end wants mapped; the defaults are those of QEMU 11.1.</summary>
public sealed record DeviceWindowOptions
{
    /// <summary>Tells the back end of each mapping as of memory, once it is there.</summary>
    public bool Announces { get; init; } = true;

    /// <summary>Is called after the answer to a message and before what it asked for is done; by the thread that serves them all.</summary>
    public Action BeforeChange { get; init; } = static () => { };
}

/// <summary>
/// The shared memory regions of a device, as a VMM has them: does what the daemon asks for on the back-end channel, and lets a guest look.
/// Like QEMU 11.1 it answers first and maps then, takes nothing beyond the end of a file, makes an empty file longer, and maps nothing
/// over something else.
/// </summary>
public sealed unsafe class DeviceWindow : IDisposable
{
    private const ulong BaseAddress = 0x40_0000_0000;
    private const ulong RegionStep = 1UL << 36;

    private readonly VhostUserFrontend _frontend;
    private readonly DeviceWindowOptions _options;
    private readonly VhostUserConnection _channel;
    private readonly Thread _thread;
    private readonly Lock _lock = new();
    private readonly Dictionary<(byte Region, ulong Offset), MemoryMapping> _mapped = [];

    private DeviceWindow(VhostUserFrontend frontend, DeviceWindowOptions options, int fd)
    {
        _frontend = frontend;
        _options = options;
        _channel = new VhostUserConnection(fd);
        _thread = new Thread(Serve) { IsBackground = true, Name = "device-window" };
    }

    /// <summary>Messages that were answered.</summary>
    public int Answered { get; private set; }

    /// <summary>Of these, those that were refused.</summary>
    public int Refused { get; private set; }

    /// <summary>Empty files that were made longer.</summary>
    public int Lengthened { get; private set; }

    /// <summary>Gives the daemon its channel.</summary>
    internal static DeviceWindow Open(VhostUserFrontend frontend, DeviceWindowOptions options)
    {
        LinuxException.Check(Libc.SocketPair(SocketFlags.SOCK_STREAM, out int ours, out int theirs), "socketpair");
        DeviceWindow window = new(frontend, options, ours);
        try
        {
            frontend.Tell(VhostUserRequest.SetBackendReqFd, [], [theirs]);
        }
        finally
        {
            _ = Libc.Close(theirs);
        }

        window._thread.Start();
        return window;
    }

    /// <summary>How many mappings a region has.</summary>
    public int Count(byte region)
    {
        lock (_lock)
        {
            return _mapped.Keys.Count(place => place.Region == region);
        }
    }

    /// <summary>What a guest loads; zeros where nothing is mapped.</summary>
    /// <param name="offset">Where a mapping begins, in bytes.</param>
    // SAFETY: a mapping is as long as a range of the window at least; only what the file has may be read.
    public byte[] Load(ulong offset, int bytes)
    {
        lock (_lock)
        {
            return _mapped.TryGetValue((0, offset), out MemoryMapping? mapping)
                ? new ReadOnlySpan<byte>(mapping.Start, bytes).ToArray()
                : new byte[bytes];
        }
    }

    /// <summary>What a guest stores.</summary>
    /// <param name="offset">Where a mapping begins, in bytes.</param>
    // SAFETY: as Load.
    public void Store(ulong offset, ReadOnlySpan<byte> data)
    {
        lock (_lock)
        {
            data.CopyTo(new Span<byte>(_mapped[(0, offset)].Start, data.Length));
        }
    }

    /// <summary>What QEMU does when its device is reset: the daemon is told that the memory has gone.</summary>
    public void DropAll()
    {
        (byte Region, ulong Offset)[] places;
        lock (_lock)
        {
            places = [.. _mapped.Keys];
        }

        foreach ((byte Region, ulong Offset) place in places)
        {
            Remove(place);
        }
    }

    public void Dispose()
    {
        _channel.Shutdown();
        _thread.Join();
        _channel.Dispose();
        lock (_lock)
        {
            foreach (MemoryMapping mapping in _mapped.Values)
            {
                mapping.Dispose();
            }

            _mapped.Clear();
        }
    }

    private void Serve()
    {
        using VhostUserMessage message = new();
        try
        {
            while (_channel.Receive(message))
            {
                Serve(message);
            }
        }
        catch (IOException)
        {
            // The daemon, or the front end's own connection, has gone.
        }
    }

    private void Serve(VhostUserMessage message)
    {
        vhost_user_mmap body = message.ReadBody<vhost_user_mmap>();
        (byte Region, ulong Offset) place = (body.shmid, body.shm_offset);
        bool isMap = message.RawRequest == (uint)VhostUserBackendRequest.ShmemMap;
        int fd = message.FdCount == 1 ? message.TakeFd(0) : -1;
        MemoryMapping? mapping = isMap ? TryMap(place, body, fd) : null;
        bool isDone = isMap ? mapping is not null : Has(place);
        Refused += isDone ? 0 : 1;
        _channel.Send(message.RawRequest, VhostUserHeaderFlags.Reply, isDone ? 0UL : 1UL);
        Answered++;
        _options.BeforeChange();
        if (mapping is not null)
        {
            Add(place, body, mapping, fd);
        }
        else if (!isMap && isDone)
        {
            Remove(place);
        }

        _ = fd < 0 ? 0 : Libc.Close(fd);
    }

    private bool Has((byte Region, ulong Offset) place)
    {
        lock (_lock)
        {
            return _mapped.ContainsKey(place);
        }
    }

    private MemoryMapping? TryMap((byte Region, ulong Offset) place, in vhost_user_mmap body, int fd)
    {
        long end = (long)(body.fd_offset + body.len);
        long size = Libc.LSeek(fd, 0, 2);
        if (size == 0)
        {
            Lengthened++;
            _ = Libc.FTruncate(fd, end);
            size = end;
        }

        if (Has(place) || size < end)
        {
            return null;
        }

        try
        {
            return MemoryMapping.MapForSystemCalls(fd, (long)body.fd_offset, (nuint)body.len);
        }
        catch (LinuxException)
        {
            return null;
        }
    }

    private void Add((byte Region, ulong Offset) place, in vhost_user_mmap body, MemoryMapping mapping, int fd)
    {
        lock (_lock)
        {
            _mapped[place] = mapping;
        }

        if (_options.Announces)
        {
            _frontend.AddMemoryRegion(AddressOf(place), mapping, (long)body.fd_offset, fd);
        }
    }

    private void Remove((byte Region, ulong Offset) place)
    {
        MemoryMapping? mapping;
        lock (_lock)
        {
            if (!_mapped.Remove(place, out mapping))
            {
                return;
            }
        }

        if (_options.Announces)
        {
            _frontend.RemoveMemoryRegion(AddressOf(place), mapping);
        }

        mapping.Dispose();
    }

    private static ulong AddressOf((byte Region, ulong Offset) place) => BaseAddress + (place.Region * RegionStep) + place.Offset;
}
