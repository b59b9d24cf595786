using System.Buffers.Binary;
using Coherency.Core.Versioning;
using Coherency.Core.Versioning.Abi;

namespace Coherency.Fuzz;

/// <summary>
/// What a daemon tells a guest by itself. The block's length is put right, for hardly any would be. What is read is what was written:
/// an event that is written again is the same bytes, but for those that nobody reads.
/// </summary>
internal sealed class ChannelTarget : FuzzTarget
{
    public override void Take(ReadOnlySpan<byte> input)
    {
        byte[] block = input.ToArray();
        if (block.Length >= sizeof(int))
        {
            BinaryPrimitives.WriteInt32LittleEndian(block, block.Length);
        }

        if (!ChannelFormat.TryReadHeader(block, out _, out ReadOnlySpan<byte> messages))
        {
            return;
        }

        byte[] again = new byte[ChannelFormat.EventBytesMax];
        while (ChannelFormat.TryReadNext(ref messages, out ChannelMessageKind kind, out FileEvent told, out _))
        {
            if (kind != ChannelMessageKind.Event)
            {
                continue;
            }

            int bytes = ChannelFormat.Write(again, told);
            FileEvent read = ChannelFormat.Read(again, out int readBytes);
            if (readBytes != bytes || read.Directory != told.Directory || read.Child != told.Child || read.Kinds != told.Kinds
                || read.Cookie != told.Cookie || read.Flags != told.Flags || !read.Name.SequenceEqual(told.Name))
            {
                throw new InvalidOperationException($"an event of {bytes} bytes is read as another one than was written");
            }
        }
    }
}
