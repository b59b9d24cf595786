using System.Diagnostics;
using Coherency.Core.Linux;
using Coherency.Guest.Virtio;

namespace Coherency.Guest.Fuse;

/// <summary>The daemon closed the vhost-user connection while requests were waited for.</summary>
public sealed class DeviceGoneException() : IOException("the daemon closed the vhost-user connection");

/// <summary>Waits for used chains: polls the ring for a while, then sleeps on the interrupt.</summary>
internal sealed unsafe class DeviceWatch(VirtqueueDriver driver, EventFd call, int socketFd)
{
    // Reading the clock costs as much as several looks at the ring.
    private const int LooksPerClockRead = 16;

    /// <summary>True when a used chain is there, false when the time is up.</summary>
    /// <exception cref="DeviceGoneException">The connection ended.</exception>
    public bool AwaitUsed(int spinMicroseconds, int timeoutMs)
    {
        driver.DisarmInterruptIfArmed();
        if (Spin(spinMicroseconds))
        {
            return true;
        }

        Deadline deadline = new(timeoutMs);
        while (driver.ArmInterrupt())
        {
            bool timeIsUp = !Sleep(deadline.RemainingMs);
            if (driver.HasUsed || timeIsUp)
            {
                return driver.HasUsed;
            }
        }

        return true;
    }

    private bool Spin(int microseconds)
    {
        if (driver.HasUsed)
        {
            return true;
        }

        long end = Stopwatch.GetTimestamp() + (microseconds * (Stopwatch.Frequency / 1_000_000));
        while (microseconds > 0 && Stopwatch.GetTimestamp() < end)
        {
            for (int i = 0; i < LooksPerClockRead; i++)
            {
                if (driver.HasUsed)
                {
                    return true;
                }

                Thread.SpinWait(1);
            }
        }

        return false;
    }

    /// <summary>Sleeps until the interrupt comes, perhaps less; false when the time is up.</summary>
    private bool Sleep(int timeoutMs)
    {
        // SAFETY: two places, of which two are polled and looked at.
        pollfd* fds = stackalloc pollfd[2];
        fds[0] = new pollfd { fd = call.Fd, events = EventFlags.POLLIN };

        // No events asked for: a hang-up is reported anyway, and replies to vhost-user messages are not this type's business.
        fds[1] = new pollfd { fd = socketFd };
        int ready = Libc.Poll(fds, 2, timeoutMs);
        if (fds[0].revents != 0)
        {
            call.Drain();
        }
        else if (ready > 0 && fds[1].revents != 0 && !driver.HasUsed)
        {
            throw new DeviceGoneException();
        }

        return ready != 0;
    }
}
