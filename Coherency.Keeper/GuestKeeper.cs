using System.Runtime.InteropServices;
using Coherency.Core.Attaching;
using Coherency.Core.Linux;
using Coherency.Core.VhostUser;
using Coherency.Keeper.Listening;
using Coherency.Keeper.Logging;
using Coherency.Keeper.Options;
using Coherency.Keeper.Serving;

namespace Coherency.Keeper;

/// <summary>
/// The life of one guest as its manager sees it: files, sockets, the line that says that a VMM may connect, one connection, the exit
/// code.
/// </summary>
internal static class GuestKeeper
{
    /// <summary>Threads of a queue that coherencyd can have.</summary>
    private const int ThreadsMax = 64;

    public static int Run(VirtiofsdOptions options)
    {
        KeeperLog log = new(options.LogLevel, options.Syslog);
        try
        {
            foreach (string warning in options.Warnings)
            {
                log.Write(LineSeverity.Warn, warning);
            }

            Check(options);
            return Keep(options, log);
        }
        catch (Exception refused) when (refused is RefusedException or LinuxException)
        {
            log.Write(LineSeverity.Error, refused.Message);
            return refused is RefusedException { ExitCode: var code } ? code : RefusedException.Failed;
        }
    }

    /// <summary>What can be known before anything is made or started.</summary>
    /// <exception cref="RefusedException">It cannot be done.</exception>
    internal static void Check(VirtiofsdOptions options)
    {
        if (options.Refusals is [string refusal, ..])
        {
            throw new RefusedException(RefusedException.Failed, refusal);
        }

        if (!Directory.Exists(options.SharedDir))
        {
            throw new RefusedException(
                RefusedException.Failed,
                File.Exists(options.SharedDir)
                    ? $"{options.SharedDir} is a file, which no Linux guest can mount: share the directory that it is in"
                    : $"{options.SharedDir} does not exist");
        }

        _ = CapabilityChanges.Dropped(options.Modcaps, options.Guest.InodeFileHandles);
        DescriptorLimit.Check(options.RlimitNofile);
    }

    private static int Keep(VirtiofsdOptions options, KeeperLog log)
    {
        using EventFd stop = EventFd.Create();
        using PosixSignalRegistration terminated = OnSignal(PosixSignal.SIGTERM, stop);
        using PosixSignalRegistration interrupted = OnSignal(PosixSignal.SIGINT, stop);
        using PosixSignalRegistration hungUp = OnSignal(PosixSignal.SIGHUP, stop);
        using VmmListener listener = VmmListener.Open(options);
        using VmmState state = new();
        AttachRequest guest = Complete(options, listener, log);
        ServerAbsence absence = new(
            state, (out string why) => GuestServing.Follow(options, guest, log, out why), stop.Fd, log);
        GuestServing? serving = GuestServing.Start(options, guest, log);
        VhostUserConnection? vmm = null;
        try
        {
            log.Write(LineSeverity.Info, "Waiting for vhost-user socket connection...");
            while (true)
            {
                RelayEnd end = vmm is null ? Await(listener, serving, stop, log, out vmm) : Relay(vmm, serving, state, stop, log);
                if (end == RelayEnd.ServerGone)
                {
                    string why = serving.EndedBecause!;
                    if (!serving.MayFollow)
                    {
                        throw new RefusedException(RefusedException.Failed, why);
                    }

                    serving.Dispose();
                    serving = absence.Wait(vmm, why, out end);
                }

                if (serving is null || end is RelayEnd.Stopped or RelayEnd.VmmGone)
                {
                    log.Write(
                        LineSeverity.Info,
                        end == RelayEnd.Stopped ? "Stopped by a signal, shutting down" : "Client disconnected, shutting down");
                    serving?.Finish();
                    return 0;
                }
            }
        }
        finally
        {
            vmm?.Dispose();
            serving?.Dispose();
        }
    }

    /// <summary>Waits for the VMM; the end is that of the wait, <see cref="RelayEnd.Connected"/> when it has come.</summary>
    private static RelayEnd Await(
        VmmListener listener, GuestServing serving, EventFd stop, KeeperLog log, out VhostUserConnection? vmm)
    {
        int connected = WaitForVmm(listener, serving, stop);
        vmm = connected < 0 ? null : new VhostUserConnection(connected);
        if (vmm is not null)
        {
            log.Write(LineSeverity.Info, "Client connected, servicing requests");
            return RelayEnd.Connected;
        }

        return serving.EndedBecause is null ? RelayEnd.Stopped : RelayEnd.ServerGone;
    }

    private static RelayEnd Relay(VhostUserConnection vmm, GuestServing serving, VmmState state, EventFd stop, KeeperLog log)
    {
        VhostUserRelay relay = new(vmm, serving, state, stop.Fd);
        RelayEnd end = relay.Run();
        if (end == RelayEnd.ServerGone)
        {
            // Its last lines, and why.
            serving.Finish(relay.Problem ?? "the server has closed the guest's connection");
        }
        else if (relay.Problem is { } problem)
        {
            log.Write(LineSeverity.Warn, problem);
        }

        return end;
    }

    private static AttachRequest Complete(VirtiofsdOptions options, VmmListener listener, KeeperLog log)
    {
        if (options.Guest.ThreadPoolSize > ThreadsMax)
        {
            log.Write(
                LineSeverity.Warn,
                $"--thread-pool-size {options.Guest.ThreadPoolSize}: {ThreadsMax} threads for each queue are the most, and are used");
        }

        return options.Guest with
        {
            Name = options.Guest.Name.Length > 0 ? options.Guest.Name : GuestNames.Of(listener.Path, Environment.ProcessId),
            Directory = Path.GetFullPath(options.SharedDir),
            // One, so that no request has to wait for one that blocks: virtiofsd's 0 waits.
            ThreadPoolSize = Math.Clamp(options.Guest.ThreadPoolSize, 1, ThreadsMax),
        };
    }

    /// <summary>The VMM's connection; -1 when there will be none.</summary>
    private static unsafe int WaitForVmm(VmmListener listener, GuestServing serving, EventFd stop)
    {
        pollfd* fds = stackalloc pollfd[3];
        fds[0] = new pollfd { fd = listener.Fd, events = EventFlags.POLLIN };
        fds[1] = new pollfd { fd = serving.Channel.Fd, events = EventFlags.POLLIN };
        fds[2] = new pollfd { fd = stop.Fd, events = EventFlags.POLLIN };
        while (true)
        {
            if (Libc.Poll(fds, 3, -1) < 0)
            {
                continue;
            }

            if (fds[1].revents != 0)
            {
                serving.Listen();
            }

            if (fds[2].revents != 0 || serving.EndedBecause is not null)
            {
                return -1;
            }

            if (fds[0].revents != 0 && listener.Accept() is >= 0 and int connection)
            {
                return connection;
            }
        }
    }

    private static PosixSignalRegistration OnSignal(PosixSignal signal, EventFd stop) => PosixSignalRegistration.Create(signal, context =>
    {
        context.Cancel = true;
        stop.Signal();
    });
}
