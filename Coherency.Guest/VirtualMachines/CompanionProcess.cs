using System.Diagnostics;
using System.Text;

namespace Coherency.Guest.VirtualMachines;

/// <summary>A program that runs beside this one, with everything it prints kept for a failure's message.</summary>
public sealed class CompanionProcess : IAsyncDisposable
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

    public string Output
    {
        get
        {
            lock (_output)
                return _output.ToString();
        }
    }

    public static CompanionProcess Start(string program, IEnumerable<string> arguments)
    {
        CompanionProcess child = new(program, arguments);
        child._process.Start();
        child._process.StandardInput.Close();
        child._process.BeginOutputReadLine();
        child._process.BeginErrorReadLine();
        return child;
    }

    /// <summary>Waits for a condition that this process brings about, and no longer than it lives.</summary>
    public async Task WaitUntilAsync(string what, Func<bool> condition, TimeSpan timeout)
    {
        Stopwatch waited = Stopwatch.StartNew();
        while (!condition())
        {
            if (_process.HasExited)
                throw new VirtualMachineException($"{_name} exited before {what}:\n{Output}");
            if (waited.Elapsed > timeout)
                throw new VirtualMachineException($"{_name}: no {what} within {timeout.TotalSeconds} s:\n{Output}");
            await Task.Delay(10);
        }
    }

    public async Task KillAsync()
    {
        if (_process.HasExited)
            return;
        // The whole tree: a C virtiofsd serves from a child process.
        _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        _process.Dispose();
        _exited.Dispose();
    }

    private void Append(string? line)
    {
        if (line is null)
            return;
        lock (_output)
            _output.AppendLine(line);
    }
}
