using Coherency.Core.Linux;
using Coherency.Core.VhostUser;
using Coherency.Core.VhostUser.Abi;
using Coherency.Core.Virtio;

namespace Coherency.Host.Transports.VhostUser;

/// <summary>
/// One queue as the front end sets it up, message by message, and its worker while it runs. A queue runs when its ring is
/// known, a kick was given and it is enabled (vhost-user.rst, "Ring states").
/// </summary>
internal sealed class Vring(uint index, Func<Vring, Virtqueue, QueueWorker> startWorker) : IDisposable
{
    private EventFd? _kick;
    private QueueWorker? _worker;
    private vhost_vring_addr _address;
    private uint _entries;
    private ushort _base;
    private ushort? _answeredBase;
    private bool _hasAddress;
    private bool _hasKick;
    private bool _enabled;

    public uint Index { get; } = index;

    public EventFd? Kick => _kick;

    public VringEvent Call { get; } = new(signalsAtOnce: true);

    /// <summary>Told when nothing of the ring can be trusted any more (vhost-user.rst, SET_VRING_ERR).</summary>
    public VringEvent Error { get; } = new(signalsAtOnce: false);

    public bool IsRunning => _worker is not null;

    /// <exception cref="VhostUserException">Not a size that a split ring can have, or the ring runs.</exception>
    public void SetEntries(uint entries)
    {
        RefuseWhileRunning("SET_VRING_NUM");
        _entries = VirtqueueLayout.IsValidSize(entries)
            ? entries
            : throw new VhostUserException($"a ring of {entries} entries: a power of two up to {VirtqueueLayout.EntriesMax} is right");
    }

    public void SetAddress(in vhost_vring_addr address)
    {
        if (!IsRunning)
        {
            _address = address;
            _hasAddress = true;
        }
    }

    /// <summary>
    /// Says where the ring goes on; true when that is not where it stopped, so that another driver has taken over.
    /// </summary>
    public bool SetBase(uint next)
    {
        RefuseWhileRunning("SET_VRING_BASE");
        _base = (ushort)next;
        bool isNewDriver = _answeredBase is { } answered && answered != _base;
        _answeredBase = null;
        return isNewDriver;
    }

    /// <summary>Takes ownership of <paramref name="kick"/>; null means that the ring is to be polled.</summary>
    public void SetKick(EventFd? kick)
    {
        RefuseWhileRunning("SET_VRING_KICK");
        _kick?.Dispose();
        _kick = kick;
        _hasKick = true;
    }

    public void SetEnabled(bool enabled)
    {
        _enabled = enabled;
        if (!enabled)
        {
            Pause();
        }
    }

    /// <summary>Starts the worker if everything is there.</summary>
    /// <exception cref="VhostUserException">The ring does not lie in the guest's memory.</exception>
    public void StartIfReady(GuestMemory? memory, VirtioFeatures features)
    {
        if (IsRunning || !_enabled || !_hasKick || !_hasAddress || _entries == 0 || memory is null)
        {
            return;
        }

        VirtqueueSetup setup = new(_entries, _address.descriptor, _address.available, _address.used, features);
        try
        {
            Start(new Virtqueue(setup, memory, _base));
        }
        catch (Exception unusable) when (unusable is VirtqueueException or LinuxException)
        {
            throw new VhostUserException($"queue {Index}: {unusable.Message}");
        }
    }

    public void UseMemory(GuestMemory memory) => _worker?.UseMemory(memory);

    /// <summary>Stops for good (GET_VRING_BASE) and returns the first entry not taken.</summary>
    public ushort Stop()
    {
        Pause();
        _answeredBase = _base;
        _hasKick = false;
        _kick?.Dispose();
        _kick = null;
        Call.Replace(null);
        Error.Replace(null);
        return _base;
    }

    public void Dispose()
    {
        Stop();
        Call.Dispose();
        Error.Dispose();
    }

    private void Start(Virtqueue queue)
    {
        try
        {
            _worker = startWorker(this, queue);
        }
        catch
        {
            queue.Close();
            throw;
        }
    }

    private void Pause()
    {
        if (_worker is not null)
        {
            _base = _worker.Stop();
            _worker.Dispose();
            _worker = null;
        }
    }

    private void RefuseWhileRunning(string request)
    {
        if (IsRunning)
        {
            throw new VhostUserException($"{request} for queue {Index}, which runs: GET_VRING_BASE must stop it first");
        }
    }
}
