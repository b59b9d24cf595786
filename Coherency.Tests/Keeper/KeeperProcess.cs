namespace Coherency.Tests.Keeper;

/// <summary>A <c>coherencyd-virtiofsd</c> that runs beside a test, with servers that the build left.</summary>
internal sealed class KeeperProcess : IDisposable
{
    public const string ReadyLine = "Waiting for vhost-user socket connection";

    /// <summary>The words before its arguments.</summary>
    public static readonly string[] Built = ["dotnet", Path.Combine(AppContext.BaseDirectory, "coherencyd-virtiofsd.dll")];

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly CompanionProcess _process;

    private KeeperProcess(CompanionProcess process) => _process = process;

    public int Id => _process.ProcessId;

    public string Output => _process.Output;

    public bool HasExited => _process.HasExited;

    /// <param name="runtimeFolder">Where servers of the host are looked for.</param>
    public static (string Name, string Value)[] EnvironmentOf(string runtimeFolder) =>
    [
        ("COHERENCYD_SERVER", string.Join(' ', DaemonProgram.Built.Command)),
        ("COHERENCYD_RUNTIME_DIR", runtimeFolder),
    ];

    /// <summary>Starts it and waits until a VMM may connect.</summary>
    public static KeeperProcess Start(string runtimeFolder, params IEnumerable<string> arguments)
    {
        KeeperProcess keeper = Begin(Built, runtimeFolder, arguments);
        keeper.WaitUntilReady();
        return keeper;
    }

    public static KeeperProcess Begin(string[] program, string runtimeFolder, IEnumerable<string> arguments) =>
        new(CompanionProcess.Start(program[0], [.. program[1..], .. arguments], EnvironmentOf(runtimeFolder)));

    public void WaitUntilReady() =>
        _process.WaitUntil("its ready line", () => Output.Contains(ReadyLine, StringComparison.Ordinal), Patience);

    public int WaitForExit() => _process.WaitForExit(Patience);

    public int Stop(string signal = "TERM")
    {
        ChildProcess.Run("kill", [$"-{signal}", $"{Id}"]);
        return WaitForExit();
    }

    public void Dispose() => _process.Dispose();
}
