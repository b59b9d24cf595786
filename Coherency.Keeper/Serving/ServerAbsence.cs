using Coherency.Core.Attaching;
using Coherency.Core.Linux;
using Coherency.Core.VhostUser;
using Coherency.Keeper.Logging;

namespace Coherency.Keeper.Serving;

/// <summary>
/// From when the host's server is gone until there is another: the VMM, whose connection stays, is answered here, so that its machine
/// can be stopped, reset and looked at meanwhile. What the guest asks of its files waits, as with a file server that does not answer.
/// </summary>
/// <param name="follow">Asks for another server; null, with the reason, when there is none yet.</param>
internal sealed unsafe class ServerAbsence(VmmState state, ServerAbsence.Search follow, int stopFd, KeeperLog log)
{
    public delegate GuestServing? Search(out string why);

    private const int RetryMs = 500;
    private const long NoticeMs = 30_000;

    /// <summary>Waits for another server, which then knows what the VMM has said.</summary>
    /// <param name="vmm">Null when none has connected yet.</param>
    /// <param name="end">Why there is none: the VMM has gone, or a signal has come.</param>
    public GuestServing? Wait(VhostUserConnection? vmm, string gone, out RelayEnd end)
    {
        end = RelayEnd.ServerGone;
        KeptMessage? pending = state.LoseServer();
        pending = pending is not null && vmm is not null && TryReply(vmm, pending, ref end) ? null : pending;
        log.Write(
            LineSeverity.Warn, $"{gone}: waiting for another; the guest is served again when its machine, or its driver, starts anew");
        long noticed = Environment.TickCount64;
        using VhostUserMessage message = new();
        pollfd* fds = stackalloc pollfd[2];
        fds[0] = new pollfd { fd = stopFd, events = EventFlags.POLLIN };
        fds[1] = new pollfd { fd = vmm?.Fd ?? -1, events = EventFlags.POLLIN };
        while (end == RelayEnd.ServerGone)
        {
            if (TryFollow(pending, out string why) is { } serving)
            {
                log.Write(LineSeverity.Info, "Another server serves the guest from here on");
                return serving;
            }

            if (Environment.TickCount64 - noticed >= NoticeMs)
            {
                log.Write(LineSeverity.Warn, $"Waiting for another server: {why}");
                noticed = Environment.TickCount64;
            }

            // One that waits for an answer that nobody has, says nothing more.
            _ = Libc.Poll(fds, pending is null ? 2 : 1, RetryMs);
            if (fds[0].revents != 0)
            {
                end = RelayEnd.Stopped;
            }
            else if (pending is null && fds[1].revents != 0)
            {
                pending = Answer(vmm!, message, ref end);
            }
        }

        return null;
    }

    private GuestServing? TryFollow(KeptMessage? pending, out string why)
    {
        GuestServing? serving = follow(out why);
        try
        {
            if (serving is not null)
            {
                state.Replay(serving.Control);
                if (pending is not null)
                {
                    state.Expect(pending);
                    serving.Control.Send(pending.Raw, pending.Flags, pending.Payload);
                }
            }

            return serving;
        }
        catch (VhostUserException broken)
        {
            why = broken.Message;
            serving?.Dispose();
            return null;
        }
    }

    /// <summary>What of it only a server can answer; null when that is nothing.</summary>
    private KeptMessage? Answer(VhostUserConnection vmm, VhostUserMessage message, ref RelayEnd end)
    {
        try
        {
            if (!vmm.Receive(message))
            {
                end = RelayEnd.VmmGone;
                return null;
            }
        }
        catch (VhostUserException)
        {
            end = RelayEnd.VmmGone;
            return null;
        }

        KeptMessage said = state.Take(message, static _ => { }, out _);
        return TryReply(vmm, said, ref end) ? null : said;
    }

    private bool TryReply(VhostUserConnection vmm, KeptMessage asked, ref RelayEnd end)
    {
        try
        {
            return state.TryReply(vmm, asked);
        }
        catch (VhostUserException)
        {
            end = RelayEnd.VmmGone;
            return true;
        }
    }
}
