namespace Coherency.Host.Server;

/// <summary>What can be known of the threads that carry requests out before the first of them is needed.</summary>
public static class RequestThreads
{
    /// <summary>
    /// Tries to make one. False when the threads can have no umask of their own: then the daemon has none from here on, and says
    /// the modes of what it makes itself.
    /// </summary>
    /// <exception cref="Core.Linux.LinuxException">They cannot be made; the message says why.</exception>
    public static bool HaveUmasks()
    {
        bool haveUmask = false;
        RequestThread.Start("probe", () => haveUmask = ThreadCredentials.HasUmask, static _ => { }).Join();
        return haveUmask;
    }
}
