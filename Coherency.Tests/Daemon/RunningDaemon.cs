using System.Diagnostics;
using System.Text;

namespace Coherency.Tests.Daemon;

/// <summary>A <c>coherencyd</c> that runs beside a test; killed at the end if it still runs.</summary>
internal sealed class RunningDaemon : IDisposable
{
    public static readonly string Program = Path.Combine(AppContext.BaseDirectory, "coherencyd.dll");

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly Process _process;
    private readonly StringBuilder _output = new();
    private readonly ManualResetEventSlim _ready = new();

    /// <param name="program">What starts the daemon: "dotnet", or a program that starts it in other circumstances.</param>
    public RunningDaemon(string program, IEnumerable<string> arguments, params (string Name, string Value)[] environment)
    {
        ProcessStartInfo start = new(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach ((string name, string value) in environment)
        {
            start.Environment[name] = value;
        }

        _process = Process.Start(start)!;
        _process.OutputDataReceived += (_, line) => Append(line.Data);
        _process.ErrorDataReceived += (_, line) => Append(line.Data);
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    public int Id => _process.Id;

    /// <summary>Everything printed so far, both channels.</summary>
    public string Output
    {
        get
        {
            lock (_output)
            {
                return _output.ToString();
            }
        }
    }

    /// <summary>Starts the daemon with a command and waits for its <c>ready</c>.</summary>
    public static RunningDaemon Start(params string[] arguments)
    {
        RunningDaemon daemon = new("dotnet", [Program, .. arguments]);
        daemon.WaitUntilReady();
        return daemon;
    }

    public void WaitUntilReady() => Assert.True(_ready.Wait(Patience), $"no 'ready':\n{Output}");

    /// <summary>Asks it to stop with SIGTERM and returns its exit code.</summary>
    public int Stop()
    {
        ChildProcess.Run("kill", ["-TERM", $"{Id}"]);
        return WaitForExit();
    }

    public int WaitForExit()
    {
        Assert.True(_process.WaitForExit(Patience), $"it does not end:\n{Output}");
        _process.WaitForExit();
        return _process.ExitCode;
    }

    /// <summary>Ends it with SIGKILL: it gets to say goodbye to nobody.</summary>
    public void Kill()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
            _process.WaitForExit();
        }
    }

    public void Dispose()
    {
        Kill();
        _process.Dispose();
        _ready.Dispose();
    }

    private void Append(string? line)
    {
        lock (_output)
        {
            _output.AppendLine(line);
        }

        if (line == "ready")
        {
            _ready.Set();
        }
    }
}
