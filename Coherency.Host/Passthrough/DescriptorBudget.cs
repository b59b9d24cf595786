using Coherency.Core.Linux;

namespace Coherency.Host.Passthrough;

/// <summary>
/// How many descriptors may be open on behalf of clients. It ends before the process's own limit does, so that clients get
/// ENFILE and the log a line while the daemon can still accept connections and open what it needs itself.
/// </summary>
/// <param name="whole">What this is a part of, which counts what is taken from it too; if it is one.</param>
public sealed class DescriptorBudget(int limit, DescriptorBudget? whole = null)
{
    /// <summary>Kept back for sockets, event descriptors, mounts and the runtime.</summary>
    private const int ReservedForDaemon = 256;

    private const int ReservedPartForRequests = 16;
    private const int ReservedForRequestsMax = 1024;

    private const int PartForCaches = 4;
    private const int ReservedForCachesMax = 16 * 1024;

    private int _used;
    private int _cached;
    private int _reported;

    /// <summary>What the process's limit (RLIMIT_NOFILE) allows; the same for all shares.</summary>
    public static DescriptorBudget Process { get; } = new(ProcessLimit());

    /// <summary>A part of this that counts for itself, and may take all.</summary>
    public DescriptorBudget CreatePart() => new(Limit, this);

    public int Limit { get; } = limit;

    /// <summary>What may still be taken.</summary>
    public int Available => Limit - (whole ?? this).Used;

    /// <summary>
    /// What sessions may still take to keep: the rest is for requests, which give it back at once, and for caches, be they full or not.
    /// </summary>
    internal int AvailableToKeep =>
        Available + Cached - ReservedForCaches - Math.Min(Limit / ReservedPartForRequests, ReservedForRequestsMax);

    /// <summary>Of all shares together, so that it does not matter how many there are.</summary>
    private int ReservedForCaches => Math.Min(Limit / PartForCaches, ReservedForCachesMax);

    public int Used => Volatile.Read(ref _used);

    /// <summary>How many of them are in caches; of a whole.</summary>
    internal int Cached => Volatile.Read(ref (whole ?? this)._cached);

    /// <summary>
    /// Raised with a line for the log when the budget, or what one client may take of it, is first exceeded, and again only after a
    /// tenth of it was free meanwhile.
    /// </summary>
    public event Action<string>? Exhausted;

    public bool TryTake(int count = 1)
    {
        int used = Interlocked.Add(ref _used, count);
        if (used <= Limit && whole?.TryTake(count) != false)
        {
            return true;
        }

        Interlocked.Add(ref _used, -count);
        if (Interlocked.Exchange(ref _reported, 1) == 0)
        {
            Exhausted?.Invoke(
                $"All {Limit} file descriptors for clients are in use: requests that need one fail with ENFILE. Raise the limit (ulimit " +
                "-n, LimitNOFILE=).");
        }

        return false;
    }

    public void Return(int count = 1)
    {
        whole?.Return(count);
        int used = Interlocked.Add(ref _used, -count);
        if (Volatile.Read(ref _reported) != 0 && used < Limit - (Limit / 10))
        {
            Volatile.Write(ref _reported, 0);
        }
    }

    /// <summary>Takes one for a cache; false when the caches of all shares have what is reserved for them.</summary>
    internal bool TryTakeForCache()
    {
        DescriptorBudget all = whole ?? this;
        if (Interlocked.Increment(ref all._cached) <= ReservedForCaches && TryTake())
        {
            return true;
        }

        Interlocked.Decrement(ref all._cached);
        return false;
    }

    /// <summary>Gives back what <see cref="TryTakeForCache"/> took.</summary>
    internal void ReturnFromCache()
    {
        Interlocked.Decrement(ref (whole ?? this)._cached);
        Return();
    }

    /// <summary>Raises <see cref="Exhausted"/> where somebody listens: one client has all that it may take.</summary>
    internal void Report(string message) => (whole ?? this).Exhausted?.Invoke(message);

    private static int ProcessLimit()
    {
        LinuxException.Check(Libc.GetResourceLimit(ProcessFlags.RLIMIT_NOFILE, out rlimit limit), "getrlimit");
        int descriptors = (int)Math.Min(limit.rlim_cur, 1 << 30);
        return Math.Max(descriptors - ReservedForDaemon, descriptors / 2);
    }
}
