using Coherency.Core.Linux;

namespace Coherency.Host.Transports.VhostUser;

/// <summary>Where the connections of a guest's VMM come from.</summary>
internal abstract class VmmSource : IDisposable
{
    /// <summary>Waits for a connection; false when there will be none any more.</summary>
    /// <param name="fd">The caller's.</param>
    public abstract bool TryAccept(out int fd);

    /// <summary>Ends a wait.</summary>
    public abstract void Stop();

    public abstract void Dispose();
}

/// <summary>One connection that is there already, and no other after it.</summary>
/// <param name="fd">Taken over.</param>
internal sealed class GivenConnection(int fd) : VmmSource
{
    private int _fd = fd;

    public override bool TryAccept(out int fd)
    {
        fd = Interlocked.Exchange(ref _fd, -1);
        return fd >= 0;
    }

    public override void Stop()
    {
    }

    public override void Dispose()
    {
        if (TryAccept(out int unused))
        {
            _ = Libc.Close(unused);
        }
    }
}
