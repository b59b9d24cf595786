using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Coherency.Core.Linux;
using Coherency.Core.VhostUser.Abi;

namespace Coherency.Core.VhostUser;

/// <summary>
/// One end of a vhost-user socket: frames messages and carries file descriptors. The socket is a byte stream, so a message
/// is read in two steps: the header with the descriptors that came with its first byte, then exactly the payload that it
/// announces. Both ends of the protocol use this type; it knows nothing of what the messages mean.
/// </summary>
public sealed unsafe class VhostUserConnection : IDisposable
{
    /// <summary>Descriptors of one message: SET_MEM_TABLE carries one per region, at most 8 (vhost-user.rst).</summary>
    public const int FdCountMax = 8;

    /// <summary>Bytes of payload: GET_SHMEM_CONFIG, the largest, needs 2,056.</summary>
    public const int PayloadBytesMax = 4096;

    /// <summary>-1 when it is closed: its number may be another connection's then.</summary>
    private int _fd;

    /// <summary>Takes ownership of a connected socket.</summary>
    public VhostUserConnection(int fd) => _fd = fd;

    /// <summary>
    /// Receives the next message into <paramref name="message"/>; false when the peer closed the connection between two messages.
    /// </summary>
    /// <exception cref="VhostUserException">The bytes are not a message of the protocol, or the connection broke.</exception>
    public bool Receive(VhostUserMessage message)
    {
        message.Clear();
        vhost_user_header header = default;
        if (!ReceiveHeader(&header, message))
        {
            return false;
        }

        if ((header.flags & VhostUserHeaderFlags.VersionMask) != VhostUserHeaderFlags.Version)
        {
            throw new VhostUserException(
                $"message {header.request} has version {header.flags & VhostUserHeaderFlags.VersionMask}, only 1 is known");
        }

        if (header.size > PayloadBytesMax)
        {
            throw new VhostUserException($"message {header.request} announces {header.size} bytes, more than {PayloadBytesMax}");
        }

        message.SetHeader(header);
        // SAFETY: Payload is so long as the header says, found to be at most the PayloadBytesMax that a message has.
        fixed (byte* payload = message.Payload)
        {
            ReceiveExactly(payload, (int)header.size);
        }

        return true;
    }

    /// <summary>Sends a message; <paramref name="fds"/> go with its first byte and stay the caller's.</summary>
    /// <exception cref="VhostUserException">The connection broke.</exception>
    public void Send(uint request, uint flags, ReadOnlySpan<byte> payload, ReadOnlySpan<int> fds = default)
    {
        // SAFETY: room for a header and the longest payload; a longer one CopyTo refuses. The stack is aligned for the
        // header.
        byte* buffer = stackalloc byte[sizeof(vhost_user_header) + PayloadBytesMax];
        vhost_user_header header = new() { request = request, flags = flags | VhostUserHeaderFlags.Version, size = (uint)payload.Length };
        *(vhost_user_header*)buffer = header;
        payload.CopyTo(new Span<byte>(buffer + sizeof(vhost_user_header), PayloadBytesMax));
        SendBytes(buffer, sizeof(vhost_user_header) + payload.Length, fds);
    }

    /// <summary>Sends a message whose payload is one struct.</summary>
    public void Send<T>(uint request, uint flags, in T payload, ReadOnlySpan<int> fds = default)
        where T : unmanaged => Send(request, flags, MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in payload)), fds);

    /// <summary>Sends a message on as it was received, with its descriptors.</summary>
    /// <exception cref="VhostUserException">The connection broke.</exception>
    public void Forward(VhostUserMessage message) => Send(message.RawRequest, message.Flags, message.Payload, message.Fds);

    /// <summary>The socket, for poll(2).</summary>
    public int Fd => _fd;

    /// <summary>Makes a <see cref="Receive"/> of another thread return; the descriptor stays open until <see cref="Dispose"/>.</summary>
    public void Shutdown() => Libc.Shutdown(_fd, SocketFlags.SHUT_RDWR);

    /// <summary>The same, while the peer sees the connection as it was: it ends with <see cref="Dispose"/>.</summary>
    public void StopReceiving() => Libc.Shutdown(_fd, SocketFlags.SHUT_RD);

    public void Dispose()
    {
        int fd = Interlocked.Exchange(ref _fd, -1);
        if (fd >= 0)
        {
            _ = Libc.Close(fd);
        }
    }

    // SAFETY: header is the caller's, whole; received counts what came and never exceeds its size, which bounds each
    // read.
    private bool ReceiveHeader(vhost_user_header* header, VhostUserMessage message)
    {
        int received = 0;
        while (received < sizeof(vhost_user_header))
        {
            int n = ReceiveWithFds((byte*)header + received, sizeof(vhost_user_header) - received, message);
            if (n == 0)
            {
                return received == 0 ? false : throw new VhostUserException("the connection ended within a message header");
            }

            received += n;
        }

        return true;
    }

    private int ReceiveWithFds(byte* buffer, int length, VhostUserMessage message)
    {
        Span<int> fds = stackalloc int[FdCountMax];
        long n = SocketMessages.Receive(_fd, buffer, length, fds, out int fdCount, out int cut);
        if (n < 0)
        {
            throw new VhostUserException($"receiving failed: {n.ToErrno()}");
        }

        message.AddFds(fds[..fdCount]);
        if ((cut & SocketFlags.MSG_CTRUNC) != 0)
        {
            throw new VhostUserException($"more than {FdCountMax} file descriptors came with one message");
        }

        return (int)n;
    }

    // SAFETY: buffer has length bytes, and each read is asked for no more than are left of them. So in SendBytes.
    private void ReceiveExactly(byte* buffer, int length)
    {
        int received = 0;
        while (received < length)
        {
            IoVec vector = new(buffer + received, (nuint)(length - received));
            msghdr header = new() { msg_iov = &vector, msg_iovlen = 1 };
            long n = Libc.RecvMsg(_fd, &header, SocketFlags.MSG_WAITALL);
            if (n.ToErrno() == Errno.EINTR)
            {
                continue;
            }

            if (n <= 0)
            {
                throw new VhostUserException(n == 0 ? "the connection ended within a message" : $"receiving failed: {n.ToErrno()}");
            }

            received += (int)n;
        }
    }

    private void SendBytes(byte* buffer, int length, ReadOnlySpan<int> fds)
    {
        int sent = 0;
        while (sent < length)
        {
            long n = SocketMessages.Send(_fd, buffer + sent, length - sent, sent == 0 ? fds : default, flags: 0);
            if (n < 0)
            {
                throw new VhostUserException($"sending failed: {n.ToErrno()}");
            }

            sent += (int)n;
        }
    }
}
