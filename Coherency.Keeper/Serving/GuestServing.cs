using System.Text;
using Coherency.Core.Attaching;
using Coherency.Core.Linux;
using Coherency.Core.VhostUser;
using Coherency.Keeper.Logging;
using Coherency.Keeper.Options;

namespace Coherency.Keeper.Serving;

/// <summary>A server that serves one guest: the conversation with it, and the socket over which vhost-user messages are relayed.</summary>
internal sealed unsafe class GuestServing : IDisposable
{
    private readonly ServerProcess? _own;
    private readonly KeeperLog _log;

    private GuestServing(AttachChannel channel, VhostUserConnection control, ServerProcess? own, KeeperLog log)
    {
        Channel = channel;
        Control = control;
        _own = own;
        _log = log;
    }

    public AttachChannel Channel { get; }

    public VhostUserConnection Control { get; }

    /// <summary>Why the server does not serve the guest any more; null while it does.</summary>
    public string? EndedBecause { get; private set; }

    /// <summary>The host's server is gone, not this guest's place in it: the next one may serve it.</summary>
    public bool MayFollow { get; private set; }

    /// <summary>Has the guest served by the server that the options say.</summary>
    /// <exception cref="RefusedException">Neither can.</exception>
    public static GuestServing Start(VirtiofsdOptions options, AttachRequest guest, KeeperLog log)
    {
        string why = "--join=never was given";
        if (options.Join != JoinChoice.Never)
        {
            GuestServing? joined = TryJoin(options.Instance, guest, log, out why);
            if (joined is not null)
            {
                NoteServersOwn(options, log);
                return joined;
            }

            if (options.Join == JoinChoice.Always)
            {
                throw new RefusedException(RefusedException.Failed, $"--join=always: {why}");
            }
        }

        log.Write(LineSeverity.Warn, $"This guest is not coherent with other virtual machines, because it has a server of its own: {why}");
        RefuseConfinement(options);
        if (options.Sandbox is null || options.Seccomp is null)
        {
            string missing = options.Sandbox is null
                ? "neither the sandbox (--sandbox=namespace, or none) nor the filter of system calls"
                : "no filter of system calls";
            log.Write(
                LineSeverity.Warn,
                $"The server has {missing} that virtiofsd has by default: confine it from outside, and say so by --seccomp=none");
        }

        if (DescriptorLimit.Apply(options.RlimitNofile) is { } limited)
        {
            log.Write(LineSeverity.Warn, limited);
        }

        ServerProcess own = ServerProcess.Start(options, log);
        try
        {
            AttachRequest seen = Sandbox.IsWanted(options) ? guest with { Directory = Sandbox.SharePath } : guest;
            return Attach(own.Channel, seen, guest.Directory, own, log, out string? refused)
                ?? throw new RefusedException(RefusedException.Failed, refused);
        }
        catch
        {
            own.Dispose();
            throw;
        }
    }

    /// <summary>Takes what the server says; it is there when poll(2) said so.</summary>
    public void Listen()
    {
        try
        {
            switch (Channel.ReceiveNotice())
            {
                case null:
                    End("the server has gone: its log says why", isGone: true);
                    break;
                case { Kind: AttachNoticeKind.Stopped } stopped:
                    End(stopped.Text, isGone: true);
                    break;
                case { Kind: AttachNoticeKind.Logged } line:
                    _log.Write(line.Severity, line.Text);
                    break;
                case { Kind: AttachNoticeKind.Ended } ended:
                    End(ended.Text, isGone: false);
                    break;
            }
        }
        catch (AttachException broken)
        {
            End(broken.Message, isGone: false);
        }
    }

    /// <summary>Has the guest served by the host's server of now; null when there is none yet, or it refuses, with the reason.</summary>
    public static GuestServing? Follow(VirtiofsdOptions options, AttachRequest guest, KeeperLog log, out string why) =>
        TryJoin(options.Instance, guest, log, out why);

    /// <summary>Lets the server clean up after a VMM that has gone, and waits until it has.</summary>
    /// <param name="otherwise">Why it ended, if the server does not say.</param>
    public void Finish(string otherwise = "the server has not ended in time")
    {
        Control.Shutdown();
        pollfd channel = new() { fd = Channel.Fd, events = EventFlags.POLLIN };
        long deadline = Environment.TickCount64 + FinishMs;
        while (EndedBecause is null && Libc.Poll(&channel, 1, (int)Math.Max(0, deadline - Environment.TickCount64)) > 0)
        {
            Listen();
        }

        End(otherwise, isGone: false);
    }

    public void Dispose()
    {
        Control.Dispose();
        Channel.Dispose();
        _own?.Dispose();
    }

    /// <summary>The first reason counts.</summary>
    private void End(string why, bool isGone)
    {
        if (EndedBecause is null)
        {
            EndedBecause = why;
            MayFollow = isGone && _own is null;
        }
    }

    private const int FinishMs = 10_000;

    private static GuestServing? TryJoin(string instance, AttachRequest guest, KeeperLog log, out string why)
    {
        why = "XDG_RUNTIME_DIR does not say where the host's server is";
        if (AttachPlace.DirectoryOf(instance) is not { } folder)
        {
            return null;
        }

        AttachChannel channel;
        try
        {
            channel = AttachChannel.Connect(AttachPlace.SocketIn(folder));
        }
        catch (LinuxException nobody)
        {
            why = nobody.Errno is Errno.ENOENT or Errno.ECONNREFUSED
                ? $"no coherencyd of the instance '{instance}' runs (coherencyd serve --attach)"
                : nobody.Message;
            return null;
        }

        return Attach(channel, guest, guest.Directory, own: null, log, out why);
    }

    /// <summary>Asks for the guest; null when the server refuses, with its reason.</summary>
    /// <param name="here">The shared directory, which may be elsewhere for the server.</param>
    private static GuestServing? Attach(
        AttachChannel channel, AttachRequest guest, string here, ServerProcess? own, KeeperLog log, out string refused)
    {
        int directory;
        fixed (byte* path = Encoding.UTF8.GetBytes(here + '\0'))
        {
            directory = LinuxException.Check(
                Libc.OpenAt(OpenFlags.AT_FDCWD, path, OpenFlags.O_PATH | OpenFlags.O_DIRECTORY), $"cannot open {here}");
        }

        LinuxException.Check(Libc.SocketPair(SocketFlags.SOCK_STREAM, out int ours, out int theirs), "socketpair");
        GuestServing serving = new(channel, new VhostUserConnection(ours), own, log);
        try
        {
            refused = serving.Ask(guest, directory, theirs) ?? "";
        }
        catch (AttachException broken)
        {
            refused = broken.Message;
        }
        finally
        {
            _ = Libc.Close(directory);
            _ = Libc.Close(theirs);
        }

        if (refused.Length == 0)
        {
            return serving;
        }

        serving.Control.Dispose();
        channel.Dispose();
        return null;
    }

    /// <summary>Null when the guest is served.</summary>
    private string? Ask(AttachRequest guest, int directory, int control)
    {
        Channel.Send(guest, directory, control);
        while (true)
        {
            switch (Channel.ReceiveNotice())
            {
                case null:
                    return "the server has ended before it served the guest";
                case { Kind: AttachNoticeKind.Logged } line:
                    _log.Write(line.Severity, line.Text);
                    break;
                case { Kind: AttachNoticeKind.Attached, Text: var table }:
                    _log.Write(
                        LineSeverity.Info,
                        table.Length == 0
                            ? $"{guest.Name} is served"
                            : $"{guest.Name} is served by the host's coherencyd; its version table is {table}");
                    return null;
                case { Text: var why }:
                    return why;
            }
        }
    }

    private static void NoteServersOwn(VirtiofsdOptions options, KeeperLog log)
    {
        if (options.Sandbox is not null || options.Seccomp is not null || options.Modcaps is not null || options.RlimitNofile is not null)
        {
            log.Write(
                LineSeverity.Info,
                "--sandbox, --seccomp, --modcaps and --rlimit-nofile are those of the host's coherencyd, which serves this guest");
        }
    }

    /// <summary>Nobody is told of a confinement that is not there.</summary>
    /// <exception cref="RefusedException">One was asked for.</exception>
    internal static void RefuseConfinement(VirtiofsdOptions options)
    {
        Sandbox.Check(options);
        if (options.Seccomp is "kill" or "trap" or "log")
        {
            throw new RefusedException(
                RefusedException.Failed,
                $"--seccomp={options.Seccomp} is not possible: coherencyd filters no system calls itself; have it done from outside (a " +
                "container, a systemd unit) and give --seccomp=none");
        }
    }
}
