using System.Diagnostics;
using System.IO.MemoryMappedFiles;
using System.Text.Json;

namespace Coherency.Bench.Guests;

/// <summary>What a guest has asked for since it was started.</summary>
/// <param name="Requests">Completed requests that a program may have waited for.</param>
/// <param name="Forgets">Completed requests of the queue of high priority: FORGET, which nobody waits for.</param>
internal readonly record struct RequestCounts(long Requests, long Forgets)
{
    public static RequestCounts operator -(RequestCounts later, RequestCounts earlier) =>
        new(later.Requests - earlier.Requests, later.Forgets - earlier.Forgets);
}

/// <summary>Counts what a guest asks its server for.</summary>
internal interface IRequestCounter : IDisposable
{
    /// <summary>Waits until nothing is under way.</summary>
    Task<RequestCounts> ReadAsync();
}

/// <summary>Counts requests by what the guest's own kernel says of itself.</summary>
/// <param name="command">Prints numbers, whose sum is the count.</param>
internal sealed class GuestFileCounter(VirtualMachine machine, string command) : IRequestCounter
{
    public async Task<RequestCounts> ReadAsync()
    {
        string text = await machine.ExpectAsync(command);
        return new RequestCounts(
            text.Split(default(char[]), StringSplitOptions.RemoveEmptyEntries).Sum(
                number => long.Parse(number, CultureInfo.InvariantCulture)),
            0);
    }

    public void Dispose()
    {
    }
}

/// <summary>
/// Counts the completed requests of a virtio device, whoever serves it, by the index of each used ring, which QEMU's file of
/// the guest's memory shows. Exact: the device moves the index by one for each request.
/// </summary>
internal sealed class RingCounter : IRequestCounter
{
    // The index has 16 bits; a guest under emulation makes a few thousand requests in a second.
    private static readonly TimeSpan SampleInterval = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan QuietTimeout = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan QuietPoll = TimeSpan.FromMilliseconds(2);

    // Both rings begin with 16 bits of flags (VIRTIO 1.2, 2.7.6 and 2.7.8).
    private const int IndexOffset = 2;

    private readonly MemoryMappedFile _memory;
    private readonly MemoryMappedViewAccessor _view;
    private readonly Ring[] _rings;
    private readonly Timer _timer;
    private readonly Lock _lock = new();

    private RingCounter(string memoryFile, IEnumerable<Ring> rings)
    {
        _memory = MemoryMappedFile.CreateFromFile(
            new FileStream(memoryFile, FileMode.Open, FileAccess.Read, FileShare.ReadWrite), null, 0, MemoryMappedFileAccess.Read,
            HandleInheritability.None, leaveOpen: false);
        _view = _memory.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
        _rings = [.. rings];
        foreach (Ring ring in _rings)
            ring.LastIndex = ReadIndex(ring.UsedAddress);
        _timer = new Timer(_ => Sample(), null, SampleInterval, SampleInterval);
    }

    /// <summary>Counts the requests of a virtual machine's only device of a kind.</summary>
    /// <param name="device">QEMU's name for its kind, such as <c>virtio-9p</c>.</param>
    /// <param name="isVhost">Another process serves it.</param>
    /// <param name="priorityQueues">How many queues of high priority there are before the queue of requests.</param>
    public static async Task<RingCounter> ForDeviceAsync(VirtualMachine machine, string device, bool isVhost, int priorityQueues)
    {
        using QemuMonitor monitor = await machine.OpenMonitorAsync();
        JsonElement devices = await monitor.AskAsync("""{"execute": "x-query-virtio"}""");
        string path = devices.EnumerateArray()
            .Where(found => found.GetProperty("name").GetString() == device)
            .Select(found => found.GetProperty("path").GetString())
            .SingleOrDefault() ?? throw new VirtualMachineException($"QEMU knows no {device} among {devices}");
        List<Ring> rings = [];
        for (int queue = 0; queue <= priorityQueues; queue++)
            rings.Add(await FindRingAsync(monitor, isVhost, path, queue, isForPriority: queue < priorityQueues));
        return new RingCounter(machine.Settings.MemoryFile!, rings);
    }

    public async Task<RequestCounts> ReadAsync()
    {
        Stopwatch waited = Stopwatch.StartNew();
        while (!IsQuiet() && waited.Elapsed < QuietTimeout)
            await Task.Delay(QuietPoll);
        Sample();
        return new RequestCounts(Sum(isForPriority: false), Sum(isForPriority: true));
    }

    public void Dispose()
    {
        _timer.Dispose();
        lock (_lock)
        {
            _view.Dispose();
            _memory.Dispose();
        }
    }

    /// <summary>
    /// A vhost-user device is asked by the command for vhost: the other one would have QEMU stop the queue to learn where it is.
    /// </summary>
    private static async Task<Ring> FindRingAsync(QemuMonitor monitor, bool isVhost, string path, int queue, bool isForPriority)
    {
        string command = isVhost ? "x-query-virtio-vhost-queue-status" : "x-query-virtio-queue-status";
        JsonElement status = await monitor.AskAsync(
            $$"""{"execute": "{{command}}", "arguments": {"path": "{{path}}", "queue": {{queue}} } }""");
        return new Ring(
            status.GetProperty(isVhost ? "used-phys" : "vring-used").GetInt64(),
            status.GetProperty(isVhost ? "avail-phys" : "vring-avail").GetInt64(),
            isForPriority);
    }

    private void Sample()
    {
        lock (_lock)
        {
            if (!_view.CanRead)
                return;
            foreach (Ring ring in _rings)
            {
                ushort index = ReadIndex(ring.UsedAddress);
                ring.Count += (ushort)(index - ring.LastIndex);
                ring.LastIndex = index;
            }
        }
    }

    private bool IsQuiet() => _rings.All(ring => ReadIndex(ring.UsedAddress) == ReadIndex(ring.AvailableAddress));

    private long Sum(bool isForPriority)
    {
        lock (_lock)
            return _rings.Where(ring => ring.IsForPriority == isForPriority).Sum(ring => ring.Count);
    }

    /// <summary>The guests' memory is below 3 GiB, where addresses are offsets in its file.</summary>
    private ushort ReadIndex(long ring) => _view.ReadUInt16(ring + IndexOffset);

    private sealed class Ring(long usedAddress, long availableAddress, bool isForPriority)
    {
        public long UsedAddress => usedAddress;

        public long AvailableAddress => availableAddress;

        public bool IsForPriority => isForPriority;

        public ushort LastIndex { get; set; }

        public long Count { get; set; }
    }
}
