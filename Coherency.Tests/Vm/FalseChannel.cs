using System.Collections.Concurrent;
using Coherency.Core.Linux;
using Coherency.Core.Versioning;
using Coherency.Core.Versioning.Abi;

namespace Coherency.Tests.Vm;

/// <summary>Answers a guest's requests for events with what a test says, sound or not.</summary>
internal sealed class FalseChannel
{
    private readonly ConcurrentQueue<byte[]> _blocks = new();

    /// <summary>Answers that have not been fetched.</summary>
    public int Waiting => _blocks.Count;

    public void Say(byte[] block) => _blocks.Enqueue(block);

    public bool TrySet(ReadOnlySpan<byte> name) => name.SequenceEqual(ChannelFormat.SubscribeAttribute);

    /// <summary>Never waits: the guest asks again, and has other requests on the queue.</summary>
    public bool TryGet(ReadOnlySpan<byte> name, Span<byte> value, out Errno answer, out int length)
    {
        answer = Errno.None;
        length = ChannelConstants.BlockBytesMax;
        if (name.SequenceEqual(ChannelFormat.EventsAttribute))
        {
            return true;
        }

        if (!name.StartsWith(ChannelFormat.PollAttributePrefix))
        {
            return false;
        }

        byte[] block = _blocks.TryDequeue(out byte[]? said) ? said : [8, 0, 0, 0, 0, 0, 0, 0];
        length = Math.Min(block.Length, value.Length);
        block.AsSpan(0, length).CopyTo(value);
        return true;
    }
}
