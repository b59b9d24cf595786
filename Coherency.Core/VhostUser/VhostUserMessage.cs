using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Coherency.Core.Linux;
using Coherency.Core.VhostUser.Abi;

namespace Coherency.Core.VhostUser;

/// <summary>
/// A received message: header, payload and file descriptors, copied out of the socket. A descriptor that nobody took with
/// <see cref="TakeFd"/> is closed when the message is reused or disposed: a flood of descriptors leaks none.
/// </summary>
public sealed class VhostUserMessage : IDisposable
{
    private readonly byte[] _payload = new byte[VhostUserConnection.PayloadBytesMax];
    private readonly int[] _fds = new int[VhostUserConnection.FdCountMax];
    private vhost_user_header _header;

    /// <summary>The request as it came; it may be no member of <see cref="VhostUserRequest"/>.</summary>
    public uint RawRequest => _header.request;

    /// <summary>As they came, the version included.</summary>
    public uint Flags => _header.flags;

    public bool NeedsReply => (_header.flags & VhostUserHeaderFlags.NeedReply) != 0;

    public bool IsReply => (_header.flags & VhostUserHeaderFlags.Reply) != 0;

    public int FdCount { get; private set; }

    /// <summary>The descriptors that came with it; -1 where one was taken.</summary>
    public ReadOnlySpan<int> Fds => _fds.AsSpan(0, FdCount);

    public Span<byte> Payload => _payload.AsSpan(0, (int)_header.size);

    /// <summary>
    /// The one gate through which a payload becomes a value: it must have exactly the struct's size.
    /// </summary>
    /// <exception cref="VhostUserException">The payload has another size.</exception>
    public T ReadBody<T>()
        where T : unmanaged
    {
        if (Payload.Length != Unsafe.SizeOf<T>())
        {
            throw new VhostUserException($"message {RawRequest} carries {Payload.Length} bytes, {Unsafe.SizeOf<T>()} are right");
        }

        // SAFETY: exactly the struct's bytes, in an array of this object's that the sender cannot reach.
        return MemoryMarshal.Read<T>(Payload);
    }

    /// <summary>Hands descriptor <paramref name="index"/> over to the caller, who closes it.</summary>
    public int TakeFd(int index)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, FdCount);
        int fd = _fds[index];
        _fds[index] = -1;
        return fd;
    }

    /// <summary>Closes what nobody took.</summary>
    public void Dispose() => Clear();

    internal void Clear()
    {
        for (int i = 0; i < FdCount; i++)
        {
            if (_fds[i] >= 0)
            {
                _ = Libc.Close(_fds[i]);
            }
        }

        FdCount = 0;
        _header = default;
    }

    internal void SetHeader(in vhost_user_header header) => _header = header;

    internal void AddFds(ReadOnlySpan<int> fds)
    {
        foreach (int fd in fds)
        {
            if (FdCount < _fds.Length)
            {
                _fds[FdCount++] = fd;
            }
            else
            {
                _ = Libc.Close(fd);
            }
        }
    }
}
