using Coherency.Core.Linux;
using Coherency.Core.VhostUser;
using Coherency.Core.VhostUser.Abi;
using Coherency.Host.Faults;

namespace Coherency.Host.Transports.VhostUser;

/// <summary>
/// Asks things of the front end (vhost-user.rst, "Back-end message types"). Nobody waits: messages are sent in their order by a thread
/// of the channel's, and whoever asked is told the answer by another one. Answers carry no number: the protocol has them come in the
/// order of the messages.
/// </summary>
internal sealed class BackendChannel : IDisposable
{
    /// <summary>Messages that may be without an answer: a front end that stands still must not cost memory without end.</summary>
    public const int PendingMax = 1024;

    private readonly VhostUserConnection _connection;
    private readonly Action<string> _failed;
    private readonly Thread _sending;
    private readonly Thread _receiving;

    /// <summary>Guards what follows, and tells the sending thread of it.</summary>
    private readonly object _changed = new();
    private readonly Queue<Message> _unsent = [];
    private readonly Queue<Message> _unanswered = [];
    private bool _hasEnded;

    /// <param name="connection">Taken over.</param>
    /// <param name="failed">
    /// Is told why the channel has ended, unless it is disposed of, or the VMM has ended it and owed no answer. Whoever waits for an
    /// answer gets ENOTCONN first.
    /// </param>
    public BackendChannel(VhostUserConnection connection, string guest, Action<string> failed)
    {
        _connection = connection;
        _failed = failed;
        _sending = GuardedThread.Start($"{guest}-ask", Send, fault => End(fault.ToString()));
        _receiving = GuardedThread.Start($"{guest}-told", Receive, fault => End(fault.ToString()));
    }

    /// <summary>Asks the front end to map a part of a file, or to unmap it.</summary>
    /// <param name="fd">The file; -1 for none. Taken over.</param>
    /// <param name="answered">
    /// Is told the answer, once, by a thread that must not be kept waiting: zero, what the front end says, or ENOTCONN.
    /// </param>
    /// <returns>False when the channel has ended, or there are <see cref="PendingMax"/> already: nobody is told anything then.</returns>
    public bool TryAsk(VhostUserBackendRequest request, in vhost_user_mmap body, int fd, Action<Errno> answered)
    {
        lock (_changed)
        {
            if (!_hasEnded && _unsent.Count + _unanswered.Count < PendingMax)
            {
                _unsent.Enqueue(new Message(request, body, fd, answered));
                Monitor.Pulse(_changed);
                return true;
            }
        }

        CloseFile(fd);
        return false;
    }

    public void Dispose()
    {
        End(null);
        _sending.Join();
        _receiving.Join();
        _connection.Dispose();
    }

    private void Send()
    {
        while (TryTake(out Message message))
        {
            try
            {
                _connection.Send(
                    (uint)message.Request, VhostUserHeaderFlags.NeedReply, message.Body, message.Fd < 0 ? [] : [message.Fd]);
            }
            catch (VhostUserException broken)
            {
                End(broken.Message);
            }
            finally
            {
                CloseFile(message.Fd);
            }
        }
    }

    private bool TryTake(out Message message)
    {
        lock (_changed)
        {
            while (_unsent.Count == 0 && !_hasEnded)
            {
                Monitor.Wait(_changed);
            }

            if (_hasEnded)
            {
                message = default;
                return false;
            }

            // Before it is sent: the answer may be quicker than this thread.
            message = _unsent.Dequeue();
            _unanswered.Enqueue(message);
            return true;
        }
    }

    private void Receive()
    {
        using VhostUserMessage reply = new();
        try
        {
            while (_connection.Receive(reply))
            {
                Message message = Match(reply);
                ulong result = reply.ReadBody<ulong>();
                message.Answered(result == 0 ? Errno.None : ToErrno(result));
            }

            End("the VMM closed the back-end channel", isOrderly: true);
        }
        catch (VhostUserException broken)
        {
            End(broken.Message);
        }
    }

    private Message Match(VhostUserMessage reply)
    {
        lock (_changed)
        {
            return reply.IsReply && _unanswered.TryPeek(out Message message) && (uint)message.Request == reply.RawRequest
                ? _unanswered.Dequeue()
                : throw new VhostUserException($"the VMM sent message {reply.RawRequest} where nothing, or another answer, was expected");
        }
    }

    /// <summary>A negative error number where the front end is polite; QEMU answers 1, whatever the reason.</summary>
    private static Errno ToErrno(ulong result) => (long)result is < 0 and > -4096 and var negative ? (Errno)(int)-negative : Errno.EIO;

    /// <param name="isOrderly">So channels end whose VMM has gone: a problem only for who waits for an answer.</param>
    private void End(string? problem, bool isOrderly = false)
    {
        Message[] orphans;
        lock (_changed)
        {
            if (_hasEnded)
            {
                return;
            }

            _hasEnded = true;
            Monitor.PulseAll(_changed);
            foreach (Message unsent in _unsent)
            {
                CloseFile(unsent.Fd);
            }

            orphans = [.. _unanswered, .. _unsent];
            _unanswered.Clear();
            _unsent.Clear();
        }

        _connection.Shutdown();
        foreach (Message orphan in orphans)
        {
            orphan.Answered(Errno.ENOTCONN);
        }

        if (problem is not null && !(isOrderly && orphans.Length == 0))
        {
            _failed(problem);
        }
    }

    private static void CloseFile(int fd)
    {
        if (fd >= 0)
        {
            _ = Libc.Close(fd);
        }
    }

    private readonly record struct Message(VhostUserBackendRequest Request, vhost_user_mmap Body, int Fd, Action<Errno> Answered);
}
