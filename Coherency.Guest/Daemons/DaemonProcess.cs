using System.Collections.Concurrent;
using System.Diagnostics;

namespace Coherency.Guest.Daemons;

/// <summary>
/// A vhost-user-fs daemon of any make, started from a command line in which <c>{socket}</c> and <c>{dir}</c> stand for the
/// socket to listen on and the directory to share. It is stopped, with the processes it started, when disposed.
/// </summary>
public sealed class DaemonProcess : IDisposable
{
    private const int PollMs = 5;
    private const int LogLinesMax = 200;
    private const int StopTimeoutMs = 5000;

    private readonly Process _process;
    private readonly ConcurrentQueue<string> _log = new();

    private DaemonProcess(Process process, string socketPath, string command)
    {
        _process = process;
        SocketPath = socketPath;
        Command = command;
        process.OutputDataReceived += (_, line) => Record(line.Data);
        process.ErrorDataReceived += (_, line) => Record(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    public string SocketPath { get; }

    /// <summary>The command as it was run.</summary>
    public string Command { get; }

    /// <summary>The process that was started; a daemon may have moved its work into children of it.</summary>
    public int ProcessId => _process.Id;

    /// <summary>The last lines that it printed.</summary>
    public IReadOnlyCollection<string> Log => _log;

    /// <summary>Starts a daemon and waits until its socket is there.</summary>
    /// <param name="template">Split at spaces, except within double quotes; no shell takes part.</param>
    /// <exception cref="DaemonStartException">It ended, or its socket did not appear in time.</exception>
    public static DaemonProcess Start(string template, string socketPath, string sharedDirectory, int timeoutMs = 10_000)
    {
        string[] words = [.. SplitWords(template).Select(word => word.Replace("{socket}", socketPath).Replace("{dir}", sharedDirectory))];
        ProcessStartInfo start = new(words[0], words[1..])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        Process process = Process.Start(start) ?? throw new DaemonStartException($"{words[0]} did not start");
        DaemonProcess daemon = new(process, socketPath, string.Join(' ', words));
        try
        {
            daemon.AwaitSocket(timeoutMs);
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
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
            _process.WaitForExit(StopTimeoutMs);
        }

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

    private void AwaitSocket(int timeoutMs)
    {
        long deadline = Environment.TickCount64 + timeoutMs;
        while (!File.Exists(SocketPath))
        {
            if (_process.HasExited)
            {
                // Also lets the streams end, as the reason is in the last line; a child of it may hold them open, hence the limit.
                _process.WaitForExit(StopTimeoutMs);
                throw new DaemonStartException($"{Command} ended with code {_process.ExitCode}: {string.Join(" / ", _log)}");
            }

            if (Environment.TickCount64 > deadline)
            {
                throw new DaemonStartException($"{Command} made no socket within {timeoutMs} ms");
            }

            Thread.Sleep(PollMs);
        }
    }

    private void Record(string? line)
    {
        if (line is null)
        {
            return;
        }

        _log.Enqueue(line);
        if (_log.Count > LogLinesMax)
        {
            _log.TryDequeue(out _);
        }
    }
}

/// <summary>A daemon did not come up; the message holds what it printed.</summary>
public sealed class DaemonStartException(string message) : IOException(message);
