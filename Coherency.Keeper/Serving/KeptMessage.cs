using System.Runtime.InteropServices;
using Coherency.Core.Linux;
using Coherency.Core.VhostUser;

namespace Coherency.Keeper.Serving;

/// <summary>A message of a VMM, apart from the connection.</summary>
internal sealed class KeptMessage(VhostUserMessage message) : IDisposable
{
    private readonly byte[] _payload = message.Payload.ToArray();
    private readonly int[] _given = message.Fds.ToArray();
    private int[] _fds = [];

    public ReadOnlySpan<byte> Payload => _payload;

    public uint Raw { get; } = message.RawRequest;

    public uint Flags { get; } = message.Flags;

    public VhostUserRequest Request => (VhostUserRequest)Raw;

    public bool NeedsReply => (Flags & VhostUserHeaderFlags.NeedReply) != 0;

    /// <summary>The first 32 bits of what it carries, and the next; 0 where there are none.</summary>
    public uint Word0 => WordAt(0);

    public uint Word1 => WordAt(sizeof(uint));

    /// <summary>Tells questions of one kind apart: an answer's content does not count.</summary>
    public string Asked => Convert.ToHexString(_payload.AsSpan(0, Math.Min(_payload.Length, 2 * sizeof(uint))));

    /// <summary>It adds the region that the other one removes: padding, and three words that name it.</summary>
    public bool IsOfSameRegion(KeptMessage other) =>
        _payload.AsSpan(0, Math.Min(_payload.Length, 4 * sizeof(ulong))).SequenceEqual(
            other._payload.AsSpan(0, Math.Min(other._payload.Length, 4 * sizeof(ulong))));

    /// <summary>Has descriptors of its own from here on.</summary>
    public void KeepFds() => _fds = [.. _given.Select(fd => LinuxException.Check(Libc.Dup(fd), "dup"))];

    /// <summary>No answer is wanted: the VMM has had one.</summary>
    public void SendTo(VhostUserConnection server) => server.Send(Raw, Flags & ~VhostUserHeaderFlags.NeedReply, _payload, _fds);

    public void Dispose()
    {
        foreach (int fd in _fds)
        {
            _ = Libc.Close(fd);
        }

        _fds = [];
    }

    private uint WordAt(int offset) =>
        _payload.Length >= offset + sizeof(uint) ? MemoryMarshal.Read<uint>(_payload.AsSpan(offset)) : 0;
}
