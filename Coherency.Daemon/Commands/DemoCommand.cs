using System.CommandLine;

namespace Coherency.Daemon.Commands;

/// <summary><c>coherencyd demo</c>: shows the daemon at work, without root and without a virtual machine.</summary>
internal sealed class DemoCommand : Command
{
    public DemoCommand()
        : base("demo", "Share a directory of its own between two user-space guests and show what happens") =>
        SetAction(_ => Demo.DemoHost.Run());
}
