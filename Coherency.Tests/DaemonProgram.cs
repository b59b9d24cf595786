namespace Coherency.Tests;

/// <summary>A coherencyd to start: as the build leaves it beside the tests, or as people download it.</summary>
/// <param name="Command">The words before its arguments.</param>
public sealed record DaemonProgram(params string[] Command)
{
    public static readonly DaemonProgram Built = new("dotnet", Path.Combine(AppContext.BaseDirectory, "coherencyd.dll"));

    /// <summary>What it says of itself: the tests are built with the same version (Directory.Build.props).</summary>
    public static string Version => typeof(DaemonProgram).Assembly.GetName().Version!.ToString(fieldCount: 3);

    internal ChildResult Run(params string[] arguments) => ChildProcess.Run(Command[0], [.. Command[1..], .. arguments]);
}
