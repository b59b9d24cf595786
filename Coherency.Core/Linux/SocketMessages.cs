namespace Coherency.Core.Linux;

/// <summary>Bytes that go over a UNIX socket together with file descriptors (unix(7), SCM_RIGHTS).</summary>
public static unsafe class SocketMessages
{
    /// <summary>Descriptors that go with one message.</summary>
    public static int FdCountMax => 8;

    private static int ControlBytes => sizeof(cmsghdr) + (FdCountMax * sizeof(int));

    /// <summary>sendmsg(2), again when a signal came between; the descriptors stay the caller's.</summary>
    /// <returns>Bytes sent, or the negative error number.</returns>
    public static long Send(int fd, byte* bytes, int length, ReadOnlySpan<int> fds, int flags)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(fds.Length, FdCountMax);
        byte* control = stackalloc byte[ControlBytes];
        IoVec vector = new(bytes, (nuint)length);
        msghdr header = new() { msg_iov = &vector, msg_iovlen = 1 };
        if (fds.Length > 0)
        {
            // SAFETY: control has ControlBytes, enough for the FdCountMax descriptors that were found to be the most.
            cmsghdr* cmsg = (cmsghdr*)control;
            cmsg->cmsg_len = (nuint)(sizeof(cmsghdr) + (fds.Length * sizeof(int)));
            cmsg->cmsg_level = SocketFlags.SOL_SOCKET;
            cmsg->cmsg_type = SocketFlags.SCM_RIGHTS;
            fds.CopyTo(new Span<int>(control + sizeof(cmsghdr), fds.Length));
            header.msg_control = control;
            header.msg_controllen = (nuint)(sizeof(cmsghdr) + (((fds.Length * sizeof(int)) + 7) & ~7));
        }

        long n;
        do
        {
            n = Libc.SendMsg(fd, &header, flags | SocketFlags.MSG_NOSIGNAL);
        }
        while (n.ToErrno() == Errno.EINTR);
        return n;
    }

    /// <summary>recvmsg(2), again when a signal came between.</summary>
    /// <param name="fds">Room for <see cref="FdCountMax"/>; those that came are the caller's.</param>
    /// <param name="cut">MSG_CTRUNC and MSG_TRUNC: what did not fit, descriptors or bytes, is lost.</param>
    /// <returns>Bytes received, 0 at the end, or the negative error number.</returns>
    public static long Receive(int fd, byte* buffer, int length, Span<int> fds, out int fdCount, out int cut)
    {
        byte* control = stackalloc byte[ControlBytes];
        IoVec vector = new(buffer, (nuint)length);
        msghdr header = new() { msg_iov = &vector, msg_iovlen = 1, msg_control = control, msg_controllen = (nuint)ControlBytes };
        long n;
        do
        {
            n = Libc.RecvMsg(fd, &header, SocketFlags.MSG_CMSG_CLOEXEC);
        }
        while (n.ToErrno() == Errno.EINTR);

        fdCount = n < 0 ? 0 : TakeFds(control, header.msg_controllen, fds);
        cut = n < 0 ? 0 : header.msg_flags & (SocketFlags.MSG_CTRUNC | SocketFlags.MSG_TRUNC);
        return n;
    }

    // SAFETY: the kernel filled in controlLength of the ControlBytes that it was given, and cmsg_len, which is never less than the
    // header's. A message that holds more than fits is cut off, at whole descriptors (recvmsg(2)).
    private static int TakeFds(byte* control, nuint controlLength, Span<int> fds)
    {
        cmsghdr* header = (cmsghdr*)control;
        if (controlLength < (nuint)sizeof(cmsghdr) || header->cmsg_level != SocketFlags.SOL_SOCKET
            || header->cmsg_type != SocketFlags.SCM_RIGHTS)
        {
            return 0;
        }

        int count = ((int)header->cmsg_len - sizeof(cmsghdr)) / sizeof(int);
        new ReadOnlySpan<int>(control + sizeof(cmsghdr), count).CopyTo(fds);
        return count;
    }
}
