namespace Coherency.Tests.Daemon;

/// <summary>A <c>coherencyd</c> that runs beside a test; killed at the end if it still runs.</summary>
internal sealed class RunningDaemon : IDisposable
{
    public static readonly string Program = DaemonProgram.Built.Command[^1];

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly CompanionProcess _process;

    /// <param name="program">What starts the daemon: "dotnet", or a program that starts it in other circumstances.</param>
    public RunningDaemon(string program, IEnumerable<string> arguments, params (string Name, string Value)[] environment) =>
        _process = CompanionProcess.Start(program, arguments, environment);

    public int Id => _process.ProcessId;

    /// <summary>Everything printed so far, both channels.</summary>
    public string Output => _process.Output;

    /// <summary>Starts the daemon with a command and waits for its <c>ready</c>.</summary>
    public static RunningDaemon Start(params string[] arguments) => Start(DaemonProgram.Built, arguments);

    public static RunningDaemon Start(
        DaemonProgram program, IEnumerable<string> arguments, params (string Name, string Value)[] environment)
    {
        RunningDaemon daemon = new(program.Command[0], [.. program.Command[1..], .. arguments], environment);
        daemon.WaitUntilReady();
        return daemon;
    }

    public void WaitUntilReady() => _process.WaitUntil("ready", () => Output.Split('\n').Contains("ready"), Patience);

    /// <summary>Asks it to stop with SIGTERM and returns its exit code.</summary>
    public int Stop()
    {
        ChildProcess.Run("kill", ["-TERM", $"{Id}"]);
        return WaitForExit();
    }

    public int WaitForExit() => _process.WaitForExit(Patience);

    /// <summary>Ends it with SIGKILL: it gets to say goodbye to nobody.</summary>
    public void Kill() => _process.KillAsync().GetAwaiter().GetResult();

    public void Dispose() => _process.Dispose();
}
