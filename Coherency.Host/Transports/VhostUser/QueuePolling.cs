using System.Diagnostics;

namespace Coherency.Host.Transports.VhostUser;

/// <summary>
/// How long a queue's thread looks for the next request before it sleeps on the kick. Sleeping costs the guest an exit and
/// the host a wake-up for each request; looking costs a core. So the time grows while looking finds something, or would have,
/// and shrinks to next to nothing while it does not.
/// </summary>
/// <param name="maxMicroseconds">The longest look; 0 never looks.</param>
internal sealed class QueuePolling(int maxMicroseconds)
{
    private const int FirstMicroseconds = 4;

    private readonly long _maxTicks = ToTicks(maxMicroseconds);
    private readonly long _firstTicks = ToTicks(Math.Min(FirstMicroseconds, maxMicroseconds));
    private long _ticks = ToTicks(maxMicroseconds);
    private long _lookedFrom;

    /// <summary>When the last look began, as <see cref="Stopwatch.GetTimestamp"/> has it.</summary>
    public long LastLook { get; private set; }

    /// <summary>Runs <paramref name="found"/> until it is true or the time is up; says which.</summary>
    public bool Look<T>(T target, Func<T, bool> found)
    {
        if (_maxTicks == 0)
        {
            return false;
        }

        long now = Stopwatch.GetTimestamp();
        long end = now + _ticks;
        _lookedFrom = now;
        do
        {
            if (found(target))
            {
                LastLook = now;
                _ticks = Math.Min(_ticks * 2, _maxTicks);
                return true;
            }

            Thread.SpinWait(8);
            now = Stopwatch.GetTimestamp();
        }
        while (now < end);

        _ticks = Math.Max(_ticks / 2, _firstTicks);
        return false;
    }

    /// <summary>
    /// Says that the sleep which followed a look in vain has ended. After one so short that the longest look would have found
    /// the request, looks become longer.
    /// </summary>
    public void EndSleep()
    {
        if (Stopwatch.GetTimestamp() - _lookedFrom < _maxTicks)
        {
            _ticks = Math.Min(_ticks * 4, _maxTicks);
        }
    }

    private static long ToTicks(int microseconds) => Stopwatch.Frequency * microseconds / 1_000_000;
}
