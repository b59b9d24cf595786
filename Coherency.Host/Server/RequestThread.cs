using Coherency.Host.Coherence;
using Coherency.Host.Faults;

namespace Coherency.Host.Server;

/// <summary>
/// Starts the threads that carry requests out. They are the process's own, never the pool's: credentials and umask are set
/// per thread.
/// </summary>
internal static class RequestThread
{
    /// <summary>Returns when the thread is ready to carry requests out.</summary>
    /// <param name="failed">As <see cref="GuardedThread.Start"/> has it.</param>
    /// <exception cref="Core.Linux.LinuxException">The thread cannot have credentials of its own.</exception>
    public static Thread Start(string name, Action body, Action<Exception> failed)
    {
        TaskCompletionSource prepared = new();
        Thread thread = GuardedThread.Start(name, Run, failed);
        prepared.Task.GetAwaiter().GetResult();
        return thread;

        void Run()
        {
            try
            {
                ThreadCredentials.PrepareThread();
                ThreadCredentials.DropCapabilities();
                prepared.SetResult();
            }
            catch (Exception refused)
            {
                // For whoever wanted the thread, and not the end of more than that.
                prepared.SetException(refused);
                return;
            }

            try
            {
                body();
            }
            finally
            {
                ServingThreads.Leave();
            }
        }
    }
}
