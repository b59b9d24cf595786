namespace Coherency.Host.Faults;

/// <summary>
/// Starts threads with a last catch: an exception that leaves a thread ends the process, and with it the sessions of all guests.
/// Whoever starts one says what ends instead: a connection, or nothing.
/// </summary>
public static class GuardedThread
{
    /// <param name="failed">Is told what ended the thread, on that thread. What it throws itself is lost.</param>
    /// <exception cref="OutOfMemoryException">The system has no room for one more thread.</exception>
    public static Thread Start(string name, Action body, Action<Exception> failed)
    {
        Thread thread = new(() => Guard(body, failed)) { Name = name, IsBackground = true };
        thread.Start();
        return thread;
    }

    /// <summary>The same for what the runtime calls on a thread of its own, as a timer does.</summary>
    public static void Guard(Action body, Action<Exception> failed)
    {
        try
        {
            body();
        }
        catch (Exception unexpected)
        {
            try
            {
                failed(unexpected);
            }
            catch (Exception)
            {
                // A log that cannot be written, perhaps: nobody is left to be told.
            }
        }
    }
}
