using System.IO.Compression;
using Grpc.Core;
using Grpc.Net.Compression;

namespace Coherency.Daemon.Admin;

/// <summary>Gzip for messages. A few bytes may stand for very many, which the library does not bound: reading stops at the limit.</summary>
internal sealed class BoundedGzip(int bytesMax) : ICompressionProvider
{
    private readonly GzipCompressionProvider _gzip = new(CompressionLevel.Fastest);

    public string EncodingName => Administration.Gzip;

    public Stream CreateCompressionStream(Stream stream, CompressionLevel? compressionLevel) =>
        _gzip.CreateCompressionStream(stream, compressionLevel);

    public Stream CreateDecompressionStream(Stream stream)
    {
        MemoryStream plain = new();
        using Stream decompressed = _gzip.CreateDecompressionStream(stream);
        byte[] some = new byte[81_920];
        int read;
        while ((read = decompressed.Read(some)) > 0)
        {
            plain.Write(some, 0, read);
            if (plain.Length > bytesMax)
            {
                throw new RpcException(
                    new Status(
                        StatusCode.ResourceExhausted, $"a message is decompressed to more than the {bytesMax} bytes that are received"));
            }
        }

        plain.Position = 0;
        return plain;
    }
}
