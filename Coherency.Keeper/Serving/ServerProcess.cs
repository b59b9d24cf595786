using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using Coherency.Core.Attaching;
using Coherency.Core.Linux;
using Coherency.Keeper.Logging;
using Coherency.Keeper.Options;

namespace Coherency.Keeper.Serving;

/// <summary>A coherencyd that serves this guest alone. It ends when the conversation with it does, and so with this process.</summary>
internal sealed class ServerProcess : IDisposable
{
    /// <summary>Names the program, with what stands before its arguments.</summary>
    private const string ProgramVariable = "COHERENCYD_SERVER";

    private const string Program = "coherencyd";
    private const int EndMs = 10_000;

    private readonly Process _process;

    private ServerProcess(Process process, AttachChannel channel)
    {
        _process = process;
        Channel = channel;
    }

    public AttachChannel Channel { get; }

    /// <exception cref="RefusedException">It cannot be started.</exception>
    public static ServerProcess Start(VirtiofsdOptions options, KeeperLog log)
    {
        bool isSandboxed = Sandbox.IsWanted(options);
        foreach (int capability in isSandboxed ? [] : CapabilityChanges.Dropped(options.Modcaps, options.Guest.InodeFileHandles))
        {
            // Who may not change the set has no capabilities to give up, or the container decides about them.
            if (Libc.DropFromBoundingSet(capability).ToErrno() == Errno.EPERM)
            {
                log.Write(LineSeverity.Debug, "--modcaps changes nothing without CAP_SETPCAP");
            }
        }

        LinuxException.Check(Libc.SocketPair(SocketFlags.SOCK_SEQPACKET, out int ours, out int theirs), "socketpair");
        AttachChannel channel = new(ours);
        string[] command = isSandboxed ? Sandbox.Wrap(options, FindProgram()) : FindProgram();
        try
        {
            LinuxException.Check(Libc.Fcntl(theirs, LockFlags.F_SETFD, 0), "fcntl");
            ProcessStartInfo start = new(command[0], [
                .. command[1..], "serve-one", "--channel", theirs.ToString(CultureInfo.InvariantCulture), "--log-level",
                LevelOf(options.LogLevel)]);
            return new ServerProcess(Process.Start(start)!, channel);
        }
        catch (Win32Exception impossible)
        {
            channel.Dispose();
            throw new RefusedException(
                RefusedException.Failed,
                $"cannot start {command[0]}: {impossible.Message} (the package coherencyd has it; {ProgramVariable} names another place)");
        }
        finally
        {
            _ = Libc.Close(theirs);
        }
    }

    public void Dispose()
    {
        Channel.Dispose();
        if (!_process.WaitForExit(EndMs))
        {
            _process.Kill();
        }

        _process.Dispose();
    }

    private static string[] FindProgram()
    {
        if (Environment.GetEnvironmentVariable(ProgramVariable) is { Length: > 0 } given)
        {
            return given.Split(' ');
        }

        string beside = Path.Combine(AppContext.BaseDirectory, Program);
        return [File.Exists(beside) ? beside : Path.Combine("/usr/bin", Program)];
    }

    /// <summary>As coherencyd calls it.</summary>
    private static string LevelOf(LineSeverity severity) => severity switch
    {
        LineSeverity.Off => "none",
        LineSeverity.Warn => "warning",
        LineSeverity.Info => "information",
        _ => severity.ToString().ToLowerInvariant(),
    };
}
