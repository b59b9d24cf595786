using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Coherency.Core.Linux;

namespace Coherency.Core.Attaching;

/// <summary>
/// One end of the conversation between a keeper and a server: a SOCK_SEQPACKET socket, a message of JSON in each packet. The keeper
/// says what it wants once; the guest lives as long as both ends are open.
/// </summary>
public sealed unsafe class AttachChannel : IDisposable
{
    /// <summary>Bytes of a message; longer lines of a log are cut.</summary>
    private const int MessageBytesMax = 32 << 10;

    private const int LineCharactersMax = 4 << 10;

    private int _fd;

    /// <param name="fd">A connected SOCK_SEQPACKET socket; taken over.</param>
    public AttachChannel(int fd) => _fd = fd;

    public int Fd => _fd;

    /// <summary>Connects to a server.</summary>
    /// <exception cref="LinuxException">Nobody listens there, or it may not be used.</exception>
    public static AttachChannel Connect(string path)
    {
        int fd = LinuxException.Check(Libc.Socket(SocketFlags.AF_UNIX, SocketFlags.SOCK_SEQPACKET, 0), "socket");
        int result = sockaddr_un.TryMake(path, out sockaddr_un address) ? Libc.Connect(fd, address) : -(int)Errno.ENAMETOOLONG;
        if (result < 0)
        {
            _ = Libc.Close(fd);
            throw new LinuxException($"connecting to {path}", result.ToErrno());
        }

        return new AttachChannel(fd);
    }

    /// <exception cref="AttachException">The server has gone.</exception>
    public void Send(AttachRequest request, int directoryFd, int controlFd)
    {
        long n = Send(request, AttachJson.Default.AttachRequest, [directoryFd, controlFd], flags: 0);
        if (n < 0)
        {
            throw new AttachException($"the server does not take the guest: {n.ToErrno()}");
        }
    }

    /// <summary>Says something to the keeper; a keeper that has gone, or that does not listen, misses it.</summary>
    public void Send(AttachNotice notice)
    {
        AttachNotice sent = notice.Text.Length > LineCharactersMax ? notice with { Text = notice.Text[..LineCharactersMax] } : notice;
        _ = Send(sent, AttachJson.Default.AttachNotice, [], SocketFlags.MSG_DONTWAIT);
    }

    /// <summary>Waits for what the keeper wants.</summary>
    /// <param name="fds">Room for <see cref="SocketMessages.FdCountMax"/>; the caller closes those that came, also after an
    /// exception.</param>
    /// <exception cref="AttachException">It has gone, or what came is no request.</exception>
    public AttachRequest ReceiveRequest(Span<int> fds, out int fdCount) =>
        Receive(AttachJson.Default.AttachRequest, fds, out fdCount) ?? throw new AttachException(
            "the keeper closed the connection before it said what it wants");

    /// <summary>Waits for the server to say something; null when it has gone.</summary>
    /// <exception cref="AttachException">What came is no notice.</exception>
    public AttachNotice? ReceiveNotice()
    {
        Span<int> fds = stackalloc int[SocketMessages.FdCountMax];
        AttachNotice? notice = Receive(AttachJson.Default.AttachNotice, fds, out int fdCount);
        foreach (int fd in fds[..fdCount])
        {
            _ = Libc.Close(fd);
        }

        return notice;
    }

    /// <summary>Waits until the other end is closed, or this one stopped; what it says until then is of no interest.</summary>
    public void WaitForEnd()
    {
        byte* buffer = stackalloc byte[1];
        Span<int> fds = stackalloc int[SocketMessages.FdCountMax];
        int fdCount;
        while (SocketMessages.Receive(_fd, buffer, 1, fds, out fdCount, out _) > 0)
        {
            foreach (int fd in fds[..fdCount])
            {
                _ = Libc.Close(fd);
            }
        }
    }

    /// <summary>Ends a wait, while the other end sees the conversation as it was: that ends with <see cref="Dispose"/>.</summary>
    public void StopReceiving() => _ = Libc.Shutdown(_fd, SocketFlags.SHUT_RD);

    /// <summary>Ends the conversation for both; the descriptor stays until <see cref="Dispose"/>.</summary>
    public void Shutdown() => _ = Libc.Shutdown(_fd, SocketFlags.SHUT_RDWR);

    public void Dispose()
    {
        int fd = Interlocked.Exchange(ref _fd, -1);
        if (fd >= 0)
        {
            _ = Libc.Close(fd);
        }
    }

    private long Send<T>(T message, JsonTypeInfo<T> type, ReadOnlySpan<int> fds, int flags)
    {
        byte[] bytes = JsonSerializer.SerializeToUtf8Bytes(message, type);
        fixed (byte* start = bytes)
        {
            return bytes.Length <= MessageBytesMax ? SocketMessages.Send(_fd, start, bytes.Length, fds, flags) : -(int)Errno.E2BIG;
        }
    }

    private T? Receive<T>(JsonTypeInfo<T> type, Span<int> fds, out int fdCount)
        where T : class
    {
        byte[] bytes = new byte[MessageBytesMax];
        long n;
        int cut;
        fixed (byte* start = bytes)
        {
            n = SocketMessages.Receive(_fd, start, bytes.Length, fds, out fdCount, out cut);
        }

        if (n <= 0)
        {
            return null;
        }

        if (cut != 0)
        {
            throw new AttachException($"a message with more than {MessageBytesMax} bytes or {SocketMessages.FdCountMax} file descriptors");
        }

        try
        {
            return JsonSerializer.Deserialize(bytes.AsSpan(0, (int)n), type) ?? throw new AttachException("an empty message");
        }
        catch (JsonException malformed)
        {
            throw new AttachException($"a message that is none: {malformed.Message} (is the other program of the same version?)");
        }
    }
}

/// <summary>Keeper and server do not understand each other, or one of them has gone.</summary>
public sealed class AttachException(string message) : IOException(message);
