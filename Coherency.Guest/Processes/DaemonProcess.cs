namespace Coherency.Guest.Processes;

/// <summary>
/// A vhost-user-fs daemon of any make, started from a command line in which <c>{socket}</c> and <c>{dir}</c> stand for the
/// socket to listen on and the directory to share. It is stopped, with the processes it started, when disposed.
/// </summary>
public sealed class DaemonProcess : IDisposable
{
    private static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(30);

    private readonly CompanionProcess _process;

    private DaemonProcess(CompanionProcess process, string socketPath, string command)
    {
        _process = process;
        SocketPath = socketPath;
        Command = command;
    }

    public string SocketPath { get; }

    /// <summary>The command as it was run.</summary>
    public string Command { get; }

    /// <summary>The process that was started; a daemon may have moved its work into children of it.</summary>
    public int ProcessId => _process.ProcessId;

    /// <summary>Starts a daemon and waits until its socket is there.</summary>
    /// <param name="template">Split at spaces, except within double quotes; no shell takes part.</param>
    /// <exception cref="CompanionException">It ended, or its socket did not appear in time; the message holds what it printed.</exception>
    public static DaemonProcess Start(string template, string socketPath, string sharedDirectory)
    {
        string[] words = [.. SplitWords(template).Select(word => word.Replace("{socket}", socketPath).Replace("{dir}", sharedDirectory))];
        DaemonProcess daemon = new(CompanionProcess.Start(words[0], words[1..]), socketPath, string.Join(' ', words));
        try
        {
            daemon._process.WaitUntil("it made its socket", () => File.Exists(socketPath), StartTimeout);
            return daemon;
        }
        catch
        {
            daemon.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        _process.Dispose();
        File.Delete(SocketPath);
    }

    private static IEnumerable<string> SplitWords(string text)
    {
        bool quoted = false;
        int start = 0;
        for (int i = 0; i <= text.Length; i++)
        {
            bool ends = i == text.Length || (text[i] == ' ' && !quoted);
            if (ends && i > start)
            {
                yield return text[start..i].Replace("\"", "");
            }

            start = ends ? i + 1 : start;
            quoted ^= i < text.Length && text[i] == '"';
        }
    }
}
