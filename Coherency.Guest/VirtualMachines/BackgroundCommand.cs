using System.Diagnostics;
using System.Globalization;

namespace Coherency.Guest.VirtualMachines;

/// <summary>A shell command that keeps running in a guest; its output and status are files in the guest's /run.</summary>
public sealed class BackgroundCommand
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(60);

    private readonly VirtualMachine _machine;
    private readonly string _files;

    private BackgroundCommand(VirtualMachine machine, int number)
    {
        _machine = machine;
        _files = $"/run/command-{number}";
    }

    /// <summary>What the command has printed so far.</summary>
    public Task<string> OutputAsync() => _machine.ExpectAsync($"cat {_files}.output");

    /// <summary>Waits until the command has printed a text.</summary>
    public Task<string> WaitForOutputAsync(string text, TimeSpan? timeout = null) =>
        PollAsync($"print '{text}'", OutputAsync, output => output.Contains(text, StringComparison.Ordinal), timeout);

    /// <summary>Sends a line to the command's standard input.</summary>
    public Task TellAsync(string line = "go on") => _machine.ExpectAsync($"echo '{line}' >{_files}.input");

    public async Task<bool> HasEndedAsync() => (await StatusAsync()).Length > 0;

    /// <summary>Waits for the command's end.</summary>
    public async Task<CommandResult> CompletionAsync(TimeSpan? timeout = null)
    {
        string status = await PollAsync("end", StatusAsync, text => text.Length > 0, timeout);
        return new CommandResult(int.Parse(status, CultureInfo.InvariantCulture), await OutputAsync());
    }

    internal static async Task<BackgroundCommand> StartAsync(VirtualMachine machine, int number, string command)
    {
        BackgroundCommand started = new(machine, number);
        string files = started._files;
        // Opened for reading and writing, the fifo blocks neither side and never reports an end.
        await machine.ExpectAsync(
            $"mkfifo {files}.input; : >{files}.output; "
            + $"{{ ( {command} ) <>{files}.input >{files}.output 2>&1; echo $? >{files}.status; }} >/dev/null 2>&1 &");
        return started;
    }

    /// <summary>Empty before the end, also while the shell has created the file but not yet written it.</summary>
    private Task<string> StatusAsync() => _machine.ExpectAsync($"cat {_files}.status 2>/dev/null || true");

    private static async Task<string> PollAsync(
        string what, Func<Task<string>> read, Func<string, bool> isReached, TimeSpan? timeout = null)
    {
        Stopwatch waited = Stopwatch.StartNew();
        while (true)
        {
            string text = await read();
            if (isReached(text))
                return text;
            if (waited.Elapsed > (timeout ?? DefaultTimeout))
                throw new VirtualMachineException($"a background command did not {what} in time; it said: {text}");
            await Task.Delay(PollInterval);
        }
    }
}
