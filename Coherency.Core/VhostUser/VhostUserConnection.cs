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

    private static readonly int ControlBytes = sizeof(cmsghdr) + (FdCountMax * sizeof(int));

    private readonly int _fd;
    private int _disposed;

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
            throw new VhostUserException($"message {header.request} has version {header.flags & VhostUserHeaderFlags.VersionMask}, only 1 is known");
        }

        if (header.size > PayloadBytesMax)
        {
            throw new VhostUserException($"message {header.request} announces {header.size} bytes, more than {PayloadBytesMax}");
        }

        message.SetHeader(header);
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
        byte* buffer = stackalloc byte[sizeof(vhost_user_header) + PayloadBytesMax];
        vhost_user_header header = new() { request = request, flags = flags | VhostUserHeaderFlags.Version, size = (uint)payload.Length };
        *(vhost_user_header*)buffer = header;
        payload.CopyTo(new Span<byte>(buffer + sizeof(vhost_user_header), PayloadBytesMax));
        SendBytes(buffer, sizeof(vhost_user_header) + payload.Length, fds);
    }

    /// <summary>Sends a message whose payload is one struct.</summary>
    public void Send<T>(uint request, uint flags, in T payload, ReadOnlySpan<int> fds = default)
        where T : unmanaged => Send(request, flags, MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in payload)), fds);

    /// <summary>Makes a <see cref="Receive"/> of another thread return; the descriptor stays open until <see cref="Dispose"/>.</summary>
    public void Shutdown() => Libc.Shutdown(_fd, SocketFlags.SHUT_RDWR);

    /// <summary>The same, while the peer sees the connection as it was: it ends with <see cref="Dispose"/>.</summary>
    public void StopReceiving() => Libc.Shutdown(_fd, SocketFlags.SHUT_RD);

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
        {
            _ = Libc.Close(_fd);
        }
    }

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
        byte* control = stackalloc byte[ControlBytes];
        IoVec vector = new(buffer, (nuint)length);
        msghdr header = new() { msg_iov = &vector, msg_iovlen = 1, msg_control = control, msg_controllen = (nuint)ControlBytes };
        long n;
        do
        {
            n = Libc.RecvMsg(_fd, &header, SocketFlags.MSG_CMSG_CLOEXEC);
        }
        while (n.ToErrno() == Errno.EINTR);

        if (n < 0)
        {
            throw new VhostUserException($"receiving failed: {n.ToErrno()}");
        }

        TakeFds(control, header.msg_controllen, message);
        if ((header.msg_flags & SocketFlags.MSG_CTRUNC) != 0)
        {
            throw new VhostUserException($"more than {FdCountMax} file descriptors came with one message");
        }

        return (int)n;
    }

    private static void TakeFds(byte* control, nuint controlLength, VhostUserMessage message)
    {
        if (controlLength < (nuint)sizeof(cmsghdr))
        {
            return;
        }

        cmsghdr* header = (cmsghdr*)control;
        if (header->cmsg_level == SocketFlags.SOL_SOCKET && header->cmsg_type == SocketFlags.SCM_RIGHTS)
        {
            int count = ((int)header->cmsg_len - sizeof(cmsghdr)) / sizeof(int);
            message.AddFds(new ReadOnlySpan<int>(control + sizeof(cmsghdr), count));
        }
    }

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
        ArgumentOutOfRangeException.ThrowIfGreaterThan(fds.Length, FdCountMax);
        byte* control = stackalloc byte[ControlBytes];
        int sent = 0;
        while (sent < length)
        {
            IoVec vector = new(buffer + sent, (nuint)(length - sent));
            msghdr header = new() { msg_iov = &vector, msg_iovlen = 1 };
            if (sent == 0 && fds.Length > 0)
            {
                AttachFds(ref header, control, fds);
            }

            long n = Libc.SendMsg(_fd, &header, SocketFlags.MSG_NOSIGNAL);
            if (n.ToErrno() == Errno.EINTR)
            {
                continue;
            }

            if (n < 0)
            {
                throw new VhostUserException($"sending failed: {n.ToErrno()}");
            }

            sent += (int)n;
        }
    }

    private static void AttachFds(ref msghdr header, byte* control, ReadOnlySpan<int> fds)
    {
        cmsghdr* cmsg = (cmsghdr*)control;
        cmsg->cmsg_len = (nuint)(sizeof(cmsghdr) + (fds.Length * sizeof(int)));
        cmsg->cmsg_level = SocketFlags.SOL_SOCKET;
        cmsg->cmsg_type = SocketFlags.SCM_RIGHTS;
        fds.CopyTo(new Span<int>(control + sizeof(cmsghdr), fds.Length));
        header.msg_control = control;
        header.msg_controllen = (nuint)(sizeof(cmsghdr) + (((fds.Length * sizeof(int)) + 7) & ~7));
    }
}
