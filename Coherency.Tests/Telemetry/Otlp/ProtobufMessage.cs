using System.Buffers.Binary;
using System.Text;

namespace Coherency.Tests.Telemetry.Otlp;

/// <summary>A message of protocol buffers, read without a schema: its fields by number.</summary>
internal sealed class ProtobufMessage
{
    private const int Varint = 0;
    private const int Fixed64 = 1;
    private const int Bytes = 2;
    private const int Fixed32 = 5;

    private readonly List<(int Field, ulong Number, byte[] Content)> _fields = [];

    public ProtobufMessage(ReadOnlySpan<byte> content)
    {
        while (content.Length > 0)
        {
            ulong tag = ReadVarint(ref content);
            ulong number = 0;
            byte[] bytes = [];
            switch ((int)(tag & 7))
            {
                case Varint: number = ReadVarint(ref content); break;
                case Fixed64: number = BinaryPrimitives.ReadUInt64LittleEndian(content); content = content[8..]; break;
                case Fixed32: number = BinaryPrimitives.ReadUInt32LittleEndian(content); content = content[4..]; break;
                case Bytes:
                    int length = (int)ReadVarint(ref content);
                    bytes = content[..length].ToArray();
                    content = content[length..];
                    break;
                default: throw new InvalidDataException($"wire type of tag {tag}");
            }

            _fields.Add(((int)(tag >> 3), number, bytes));
        }
    }

    public bool Has(int field) => _fields.Exists(one => one.Field == field);

    public IEnumerable<ProtobufMessage> Messages(int field) =>
        _fields.Where(one => one.Field == field).Select(one => new ProtobufMessage(one.Content));

    /// <summary>The messages at the end of a path of fields.</summary>
    public IEnumerable<ProtobufMessage> Messages(int field, params int[] path) =>
        path.Aggregate(Messages(field), (messages, next) => messages.SelectMany(message => message.Messages(next)));

    public string Text(int field) => Encoding.UTF8.GetString(_fields.Find(one => one.Field == field).Content ?? []);

    public ulong Number(int field) => _fields.Find(one => one.Field == field).Number;

    public double Double(int field) => BitConverter.UInt64BitsToDouble(Number(field));

    /// <summary>A packed field of numbers of eight bytes each.</summary>
    public ulong[] PackedNumbers(int field) =>
        [.. _fields.Where(one => one.Field == field).SelectMany(one => one.Content.Chunk(8)).Select(
            chunk => BinaryPrimitives.ReadUInt64LittleEndian(chunk))];

    private static ulong ReadVarint(ref ReadOnlySpan<byte> content)
    {
        ulong value = 0;
        for (int shift = 0; ; shift += 7)
        {
            byte next = content[0];
            content = content[1..];
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
            {
                return value;
            }
        }
    }
}
