using System.Diagnostics;
using System.Text;

namespace Coherency.Guest.Processes;

/// <summary>
/// A program that runs beside this one, with everything it prints kept for a failure's message. It is killed at the end, with what
/// it started: a C virtiofsd serves from a child process.
/// </summary>
public sealed class CompanionProcess : IAsyncDisposable, IDisposable
{
    private readonly Process _process;
    private readonly StringBuilder _output = new();
    private readonly CancellationTokenSource _exited = new();
    private readonly string _name;

    private CompanionProcess(string program, IEnumerable<string> arguments)
    {
        _name = Path.GetFileName(program);
        _process = new Process
        {
            StartInfo = new ProcessStartInfo(program, arguments)
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            },
        };
        _process.EnableRaisingEvents = true;
        _process.Exited += (_, _) => _exited.Cancel();
        _process.OutputDataReceived += (_, line) => Append(line.Data);
        _process.ErrorDataReceived += (_, line) => Append(line.Data);
    }

    public int ProcessId => _process.Id;

    public bool HasExited => _process.HasExited;

    /// <summary>Cancelled when the process ends: nobody need wait longer for what it was to do.</summary>
    public CancellationToken Exited => _exited.Token;

    /// <summary>Everything printed so far, on both channels.</summary>
    public string Output
    {
        get
        {
            lock (_output)
                return _output.ToString();
        }
    }

    public static CompanionProcess Start(
        string program, IEnumerable<string> arguments, params IEnumerable<(string Name, string Value)> environment)
    {
        CompanionProcess child = new(program, arguments);
        foreach ((string name, string value) in environment)
            child._process.StartInfo.Environment[name] = value;
        child._process.Start();
        child._process.StandardInput.Close();
        child._process.BeginOutputReadLine();
        child._process.BeginErrorReadLine();
        return child;
    }

    /// <summary>Waits for a condition that this process brings about, and no longer than it lives.</summary>
    /// <exception cref="CompanionException">It ended before, or the condition does not come about.</exception>
    public async Task WaitUntilAsync(string what, Func<bool> condition, TimeSpan timeout)
    {
        Stopwatch waited = Stopwatch.StartNew();
        while (!condition())
        {
            if (_process.HasExited)
            {
                int exitCode = await WaitForExitAsync(OutputPatience).ConfigureAwait(false);
                throw new CompanionException($"{_name} ended with code {exitCode} before {what}:\n{Output}");
            }

            if (waited.Elapsed > timeout)
                throw new CompanionException($"{_name}: no {what} within {timeout.TotalSeconds} s:\n{Output}");
            await Task.Delay(PollPeriod).ConfigureAwait(false);
        }
    }

    /// <inheritdoc cref="WaitUntilAsync"/>
    public void WaitUntil(string what, Func<bool> condition, TimeSpan timeout) =>
        WaitUntilAsync(what, condition, timeout).GetAwaiter().GetResult();

    /// <summary>Waits for its end, and for the last that it prints; a child of it may hold the channels open, hence the limit.</summary>
    /// <returns>The exit code.</returns>
    /// <exception cref="CompanionException">It goes on.</exception>
    public async Task<int> WaitForExitAsync(TimeSpan timeout)
    {
        using CancellationTokenSource deadline = new(timeout);
        try
        {
            await _process.WaitForExitAsync(deadline.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (_process.HasExited)
        {
        }
        catch (OperationCanceledException)
        {
            throw new CompanionException($"{_name} does not end within {timeout.TotalSeconds} s:\n{Output}");
        }

        return _process.ExitCode;
    }

    /// <inheritdoc cref="WaitForExitAsync"/>
    public int WaitForExit(TimeSpan timeout) => WaitForExitAsync(timeout).GetAwaiter().GetResult();

    public async Task KillAsync()
    {
        if (_process.HasExited)
            return;
        _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync().ConfigureAwait(false);
    }

    public async ValueTask DisposeAsync()
    {
        await KillAsync().ConfigureAwait(false);
        _process.Dispose();
        _exited.Dispose();
    }

    public void Dispose() => DisposeAsync().AsTask().GetAwaiter().GetResult();

    private static readonly TimeSpan PollPeriod = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan OutputPatience = TimeSpan.FromSeconds(5);

    private void Append(string? line)
    {
        if (line is null)
            return;
        lock (_output)
            _output.AppendLine(line);
    }
}

/// <summary>A program did not do what it was to do; the message holds what it printed.</summary>
public sealed class CompanionException(string message) : IOException(message);
