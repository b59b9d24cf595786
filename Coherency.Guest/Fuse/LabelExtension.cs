using System.Runtime.InteropServices;
using Coherency.Core.Fuse.Abi;

namespace Coherency.Guest.Fuse;

/// <summary>The extension by which Linux sends security contexts of what it has made (fuse.h: fuse_secctx_header).</summary>
public static unsafe class LabelExtension
{
    private const int Alignment = 8;

    /// <param name="labels">Names of attributes, without a NUL, and their values.</param>
    public static byte[] Of(params IReadOnlyList<(byte[] Name, byte[] Value)> labels)
    {
        List<byte> bytes = [.. new byte[sizeof(fuse_secctx_header)]];
        foreach ((byte[] name, byte[] value) in labels)
        {
            fuse_secctx context = new() { size = (uint)value.Length };
            bytes.AddRange(MemoryMarshal.AsBytes(new ReadOnlySpan<fuse_secctx>(in context)));
            bytes.AddRange([.. name, 0, .. value]);
            bytes.AddRange(new byte[-bytes.Count & (Alignment - 1)]);
        }

        byte[] whole = [.. bytes];
        MemoryMarshal.Write(whole, new fuse_secctx_header { size = (uint)whole.Length, nr_secctx = (uint)labels.Count });
        return whole;
    }
}
