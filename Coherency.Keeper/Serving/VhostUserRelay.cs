using Coherency.Core.Linux;
using Coherency.Core.VhostUser;

namespace Coherency.Keeper.Serving;

/// <summary>How a conversation came to its end.</summary>
internal enum RelayEnd
{
    /// <summary>It has only begun.</summary>
    Connected,
    VmmGone,
    ServerGone,
    Stopped,
}

/// <summary>
/// Passes the vhost-user messages of a VMM on to a server, and its replies back, with their file descriptors: guest memory, doorbells,
/// the back end's channel. Requests do not come by here: the server works with the guest's memory itself. So the VMM's connection
/// belongs to this process, and does not depend on which process serves the guest.
/// </summary>
/// <param name="state">Keeps what another server would have to know.</param>
internal sealed unsafe class VhostUserRelay(VhostUserConnection vmm, GuestServing serving, VmmState state, int stopFd)
{
    /// <summary>What broke a connection; null when it was closed between two messages.</summary>
    public string? Problem { get; private set; }

    /// <summary>Runs until one of them goes, or the stop descriptor can be read.</summary>
    public RelayEnd Run()
    {
        using VhostUserMessage message = new();
        pollfd* fds = stackalloc pollfd[4];
        fds[0] = new pollfd { fd = vmm.Fd, events = EventFlags.POLLIN };
        fds[1] = new pollfd { fd = serving.Control.Fd, events = EventFlags.POLLIN };
        fds[2] = new pollfd { fd = serving.Channel.Fd, events = EventFlags.POLLIN };
        fds[3] = new pollfd { fd = stopFd, events = EventFlags.POLLIN };
        while (true)
        {
            if (Libc.Poll(fds, 4, -1) < 0)
            {
                continue;
            }

            // A server that ends says why before it closes the other socket.
            if (fds[2].revents != 0)
            {
                serving.Listen();
            }

            if (fds[3].revents != 0)
            {
                return RelayEnd.Stopped;
            }

            if (serving.EndedBecause is not null || (fds[1].revents != 0 && !TryReceive(serving.Control, message)))
            {
                return RelayEnd.ServerGone;
            }

            if (fds[1].revents != 0)
            {
                state.TakeAnswer(message);
                if (!TryForward(message, vmm))
                {
                    return RelayEnd.VmmGone;
                }
            }

            if (fds[0].revents != 0 && !TryReceive(vmm, message))
            {
                return RelayEnd.VmmGone;
            }

            if (fds[0].revents != 0 && !TryPassOn(message))
            {
                return RelayEnd.ServerGone;
            }
        }
    }

    /// <returns>False when the server is gone.</returns>
    private bool TryPassOn(VhostUserMessage message)
    {
        try
        {
            KeptMessage said = state.Take(message, earlier => earlier.SendTo(serving.Control), out bool isPassed);
            if (isPassed)
            {
                state.Expect(said);
                serving.Control.Forward(message);
                return true;
            }

            return state.TryReply(vmm, said) || TryForward(message, serving.Control);
        }
        catch (VhostUserException broken)
        {
            Problem = broken.Message;
            return false;
        }
    }

    private bool TryReceive(VhostUserConnection from, VhostUserMessage message)
    {
        try
        {
            return from.Receive(message);
        }
        catch (VhostUserException broken)
        {
            Problem = broken.Message;
            return false;
        }
    }

    private bool TryForward(VhostUserMessage message, VhostUserConnection to)
    {
        try
        {
            to.Forward(message);
            return true;
        }
        catch (VhostUserException broken)
        {
            Problem = broken.Message;
            return false;
        }
    }
}
