using System.Buffers;
using System.Buffers.Binary;
using System.IO.Compression;
using Google.Protobuf;

namespace Coherency.Daemon.Grpc;

/// <summary>
/// The bytes of a message on the wire (gRPC, PROTOCOL-HTTP2.md, "Length-Prefixed-Message"): a byte that says whether it is
/// compressed, four of its length, big-endian, and the message.
/// </summary>
internal static class MessageFrame
{
    public const int HeaderBytes = 5;

    public const string Identity = "identity";
    public const string Gzip = "gzip";

    /// <summary>What this layer understands, as the header says it.</summary>
    public const string AcceptedEncodings = "identity,gzip";

    public static void Write(IBufferWriter<byte> output, IMessage message, bool compress)
    {
        int bytes = message.CalculateSize();
        if (compress && bytes >= MessageLimits.CompressBytesMin)
        {
            WriteCompressed(output, message);
            return;
        }

        WriteHeader(output, isCompressed: false, bytes);
        message.WriteTo(output);
    }

    /// <summary>Takes a whole frame off the front of <paramref name="received"/>; false when there is none yet.</summary>
    /// <exception cref="RpcException">It is too long, or compressed by nobody knows what.</exception>
    public static bool TryRead<T>(ref ReadOnlySequence<byte> received, string encoding, MessageParser<T> parser, out T? message)
        where T : IMessage<T>
    {
        message = default;
        if (received.Length < HeaderBytes)
        {
            return false;
        }

        Span<byte> header = stackalloc byte[HeaderBytes];
        received.Slice(0, HeaderBytes).CopyTo(header);
        uint length = BinaryPrimitives.ReadUInt32BigEndian(header[1..]);
        if (length > MessageLimits.ReceiveBytesMax)
        {
            throw TooLong(length);
        }

        if (received.Length < HeaderBytes + length)
        {
            return false;
        }

        message = Parse(received.Slice(HeaderBytes, length), header[0], encoding, parser);
        received = received.Slice(HeaderBytes + length);
        return true;
    }

    private static T Parse<T>(ReadOnlySequence<byte> body, byte flag, string encoding, MessageParser<T> parser)
        where T : IMessage<T>
    {
        bool isCompressed = flag switch
        {
            0 => false,
            1 when encoding == Gzip => true,
            1 => throw new RpcException(new Status(StatusCode.Internal, "a message is compressed, but no grpc-encoding says how")),
            _ => throw new RpcException(new Status(StatusCode.Internal, $"a message has the compression flag {flag}: 0 and 1 are possible")),
        };
        try
        {
            return parser.ParseFrom(isCompressed ? Decompress(body) : body);
        }
        catch (InvalidProtocolBufferException malformed)
        {
            throw new RpcException(new Status(StatusCode.Internal, $"a message cannot be decoded: {malformed.Message}"));
        }
        catch (InvalidDataException malformed)
        {
            throw new RpcException(new Status(StatusCode.Internal, $"a message cannot be decompressed: {malformed.Message}"));
        }
    }

    /// <summary>A few bytes may stand for very many: it stops at the limit.</summary>
    private static ReadOnlySequence<byte> Decompress(ReadOnlySequence<byte> body)
    {
        using GZipStream plain = new(new MemoryStream(body.ToArray()), CompressionMode.Decompress);
        ArrayBufferWriter<byte> output = new();
        int read;
        while ((read = plain.Read(output.GetSpan(4096))) > 0)
        {
            output.Advance(read);
            if (output.WrittenCount > MessageLimits.ReceiveBytesMax)
            {
                throw TooLong(output.WrittenCount);
            }
        }

        return new ReadOnlySequence<byte>(output.WrittenMemory);
    }

    private static void WriteCompressed(IBufferWriter<byte> output, IMessage message)
    {
        using MemoryStream compressed = new();
        using (GZipStream gzip = new(compressed, CompressionLevel.Fastest, leaveOpen: true))
        {
            message.WriteTo(gzip);
        }

        WriteHeader(output, isCompressed: true, (int)compressed.Length);
        output.Write(compressed.GetBuffer().AsSpan(0, (int)compressed.Length));
    }

    private static void WriteHeader(IBufferWriter<byte> output, bool isCompressed, int bytes)
    {
        Span<byte> header = output.GetSpan(HeaderBytes);
        header[0] = isCompressed ? (byte)1 : (byte)0;
        BinaryPrimitives.WriteUInt32BigEndian(header[1..], (uint)bytes);
        output.Advance(HeaderBytes);
    }

    private static RpcException TooLong(long bytes) => new(new Status(
        StatusCode.ResourceExhausted, $"a message of {bytes} bytes is longer than the {MessageLimits.ReceiveBytesMax} that are received"));
}
