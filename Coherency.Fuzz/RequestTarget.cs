using System.Buffers.Binary;

namespace Coherency.Fuzz;

/// <summary>
/// Requests one after the other: two bytes of length, two of room for the reply, the message. Its header's length is put right, for
/// hardly any would be.
/// </summary>
internal sealed class RequestTarget : FuzzTarget
{
    private const int FrameBytes = 4;

    private readonly FuzzedSession _session = new();
    private readonly BufferChannel _channel = new();

    public override void Take(ReadOnlySpan<byte> input)
    {
        _session.Begin();
        while (input.Length >= FrameBytes)
        {
            int length = Math.Min(BinaryPrimitives.ReadUInt16LittleEndian(input), input.Length - FrameBytes);
            int room = BinaryPrimitives.ReadUInt16LittleEndian(input[sizeof(ushort)..]);
            byte[] message = input.Slice(FrameBytes, length).ToArray();
            if (length >= sizeof(uint))
            {
                BinaryPrimitives.WriteInt32LittleEndian(message, length);
            }

            _channel.Carry(_session, message, room);
            if (_channel.Replied > room)
            {
                throw new InvalidOperationException($"a reply of {_channel.Replied} bytes in room for {room}");
            }

            input = input[(FrameBytes + length)..];
        }
    }

    public override void Dispose()
    {
        _channel.Dispose();
        _session.Dispose();
        base.Dispose();
    }
}
