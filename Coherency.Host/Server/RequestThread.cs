using Coherency.Host.Passthrough;

namespace Coherency.Host.Server;

/// <summary>
/// Starts the threads that carry requests out. They are the process's own, never the pool's: credentials and umask are set
/// per thread.
/// </summary>
internal static class RequestThread
{
    public static Thread Start(string name, Action body)
    {
        Thread thread = new(() =>
        {
            ThreadCredentials.PrepareThread();
            body();
        })
        { Name = name, IsBackground = true };
        thread.Start();
        return thread;
    }
}
