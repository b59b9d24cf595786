using Coherency.Guest.Processes;

namespace Coherency.Guest.VirtualMachines;

/// <summary>
/// A guest under QEMU's software emulation, in which shell commands are run. A guest that does not answer
/// in time is killed, because nothing that it says afterwards could be attributed to a command.
/// </summary>
public sealed class VirtualMachine : IAsyncDisposable
{
    /// <summary>A boot takes seconds, and minutes where many want the processors.</summary>
    private static readonly TimeSpan BootTimeout = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan CommandTimeout = TimeSpan.FromSeconds(60);

    private readonly VirtualMachineSettings _settings;
    private readonly GuestConsole _console;
    private readonly GuestAgentConnection _agent;
    private readonly CompanionProcess _qemu;
    private readonly SemaphoreSlim _oneCommand = new(1);
    private int _backgroundCommands;

    private VirtualMachine(VirtualMachineSettings settings)
    {
        _settings = settings;
        _console = new GuestConsole(settings.ConsoleLog);
        _agent = new GuestAgentConnection(settings.AgentSocket);
        string[] command = [.. settings.Launcher, settings.Image.Qemu, .. MachineArguments.For(settings)];
        _qemu = CompanionProcess.Start(command[0], command[1..]);
    }

    public string Name => _settings.Name;

    public VirtualMachineSettings Settings => _settings;

    /// <summary>Of QEMU.</summary>
    public int ProcessId => _qemu.ProcessId;

    public bool IsRunning => !_qemu.HasExited;

    public static async Task<VirtualMachine> BootAsync(VirtualMachineSettings settings)
    {
        VirtualMachine machine = new(settings);
        try
        {
            await machine.WaitForBootAsync();
            return machine;
        }
        catch
        {
            await machine.DisposeAsync();
            throw;
        }
    }

    /// <summary>Runs a shell command to its end, whatever its exit status.</summary>
    public Task<CommandResult> RunAsync(string command, TimeSpan? timeout = null) =>
        ConverseAsync(command, timeout ?? CommandTimeout, async cancellation =>
        {
            await _agent.SendAsync(command, cancellation);
            return await _agent.ReceiveAsync(cancellation);
        });

    /// <summary>Runs a shell command that must succeed; returns its output without the last line end.</summary>
    public async Task<string> ExpectAsync(string command, TimeSpan? timeout = null)
    {
        CommandResult result = await RunAsync(command, timeout);
        if (result.ExitCode != 0)
            throw Failure($"`{command}` ended with {result.ExitCode}:\n{result.Output}");
        return result.Text;
    }

    /// <summary>Starts a shell command that goes on while others are run.</summary>
    public Task<BackgroundCommand> StartAsync(string command) =>
        BackgroundCommand.StartAsync(this, Interlocked.Increment(ref _backgroundCommands), command);

    /// <summary>Resets the machine as a guest's own reboot does; QEMU and its connection to the daemon stay.</summary>
    /// <param name="command">How it is asked to.</param>
    public Task RebootAsync(string command = "reboot -f") =>
        ConverseAsync(command, BootTimeout, async cancellation =>
        {
            await _agent.SendAsync(command, cancellation);
            await _agent.WaitForGreetingAsync(cancellation);
            return true;
        });

    /// <summary>Has the guest turn itself off, and waits until QEMU has ended.</summary>
    /// <param name="command">How it is asked to.</param>
    public async Task PowerOffAsync(string command)
    {
        try
        {
            await RunAsync(command, BootTimeout);
            await Task.Delay(BootTimeout, _qemu.Exited);
        }
        catch (Exception) when (!IsRunning)
        {
            return;
        }

        throw Failure($"`{command}` did not turn it off in {BootTimeout.TotalSeconds} s");
    }

    /// <summary>QEMU's monitor, if the settings ask for one.</summary>
    public Task<QemuMonitor> OpenMonitorAsync() =>
        QemuMonitor.ConnectAsync(_settings.MonitorSocket ?? throw new InvalidOperationException($"guest {Name} has no monitor"));

    /// <summary>Ends QEMU with SIGKILL: neither the guest nor QEMU gets to say goodbye to the daemon.</summary>
    public Task KillAsync() => _qemu.KillAsync();

    /// <summary>Fails when the guest's kernel has reported a fault since it was started.</summary>
    public void AssertKernelIsSound()
    {
        if (_console.FirstKernelFault is { } fault)
            throw Failure($"the kernel reported a fault: {fault}");
    }

    public async ValueTask DisposeAsync()
    {
        await _qemu.DisposeAsync();
        _agent.Dispose();
        _oneCommand.Dispose();
    }

    private async Task WaitForBootAsync()
    {
        await ConverseAsync("boot", BootTimeout, async cancellation =>
        {
            await _agent.AcceptAsync(cancellation);
            await _agent.WaitForGreetingAsync(cancellation);
            return true;
        });
        await ExpectAsync($"hostname {Name}");
    }

    private async Task<T> ConverseAsync<T>(string what, TimeSpan timeout, Func<CancellationToken, Task<T>> converse)
    {
        await _oneCommand.WaitAsync();
        try
        {
            using CancellationTokenSource deadline = CancellationTokenSource.CreateLinkedTokenSource(_qemu.Exited);
            deadline.CancelAfter(timeout);
            return await converse(deadline.Token);
        }
        catch (Exception exception) when (exception is OperationCanceledException or IOException)
        {
            VirtualMachineException failure = Failure($"`{what}` got no answer (limit {timeout.TotalSeconds} s)");
            await KillAsync();
            throw failure;
        }
        finally
        {
            _oneCommand.Release();
        }
    }

    private VirtualMachineException Failure(string what) => new(
        $"guest {Name}: {what}\n--- QEMU {(IsRunning ? "is running" : "has exited")}\n{_qemu.Output}"
        + $"--- end of {_console.Path}\n{_console.Tail}");
}
