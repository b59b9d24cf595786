using Coherency.Daemon.Commands;

namespace Coherency.Daemon;

/// <summary>Entry point of <c>coherencyd</c>.</summary>
public static class Program
{
    public static Task<int> Main(string[] args) => CommandLine.RunAsync(args);
}
