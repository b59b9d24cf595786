using Coherency.Core.Versioning;
using Coherency.Core.Versioning.Abi;

namespace Coherency.Tests.Versioning;

/// <summary>What is written is read; what is not a block is refused, or passed over as far as it is none of the reader's.</summary>
public sealed class ChannelFormatTests
{
    [Fact]
    public void What_is_written_is_read()
    {
        Random random = new(1);
        byte[] block = new byte[ChannelConstants.BlockBytesMax];
        for (int round = 0; round < 2_000; round++)
        {
            random.NextBytes(block);
            List<byte[]> names = [];
            int bytes = ChannelFormat.BlockHeaderBytes;
            int count = random.Next(0, 20);
            int seed = random.Next();
            Random fields = new(seed);
            for (int i = 0; i < count; i++)
            {
                names.Add(
                    [.. Enumerable.Range(0, random.Next(0, ChannelConstants.NameBytesMax + 1)).Select(_ => (byte)random.Next('0', 256))]);
                bytes += ChannelFormat.Write(block.AsSpan(bytes), Make(fields, names[i]));
            }

            ChannelFormat.WriteHeader(block, bytes, (ChannelBlockFlags)(round % 2));
            Assert.True(ChannelFormat.TryReadHeader(block.AsSpan(0, bytes), out ChannelBlockFlags flags, out ReadOnlySpan<byte> messages));
            Assert.Equal((ChannelBlockFlags)(round % 2), flags);
            fields = new Random(seed);
            for (int i = 0; i < count; i++)
            {
                FileEvent written = Make(fields, names[i]);
                Assert.True(ChannelFormat.TryReadNext(ref messages, out ChannelMessageKind kind, out FileEvent read, out _));
                Assert.Equal(ChannelMessageKind.Event, kind);
                Assert.Equal((written.Directory, written.Child, written.Kinds), (read.Directory, read.Child, read.Kinds));
                Assert.Equal((written.Cookie, written.Flags), (read.Cookie, read.Flags));
                Assert.Equal(names[i], read.Name);
            }

            Assert.True(messages.IsEmpty);
        }
    }

    [Fact]
    public void What_is_written_of_a_lock_is_read_and_of_another_length_is_refused()
    {
        byte[] messages = new byte[2 * ChannelFormat.LockBytes];
        ChannelFormat.WriteLock(messages, 0x123456789ABCDEF0);
        ReadOnlySpan<byte> rest = messages.AsSpan(0, ChannelFormat.LockBytes);
        Assert.True(ChannelFormat.TryReadNext(ref rest, out ChannelMessageKind kind, out _, out ulong freed));
        Assert.Equal((ChannelMessageKind.Lock, 0x123456789ABCDEF0UL, 0), (kind, freed, rest.Length));
        foreach (ushort bytes in new ushort[] { 0, 8, 24, 32 })
        {
            BitConverter.TryWriteBytes(messages.AsSpan(2), bytes);
            rest = messages;
            Assert.False(ChannelFormat.TryReadNext(ref rest, out _, out _, out _), $"{bytes}");
        }
    }

    [Fact]
    public void A_kind_that_is_not_known_is_passed_over()
    {
        byte[] messages = new byte[16 + ChannelFormat.EventBytesMin];
        BitConverter.TryWriteBytes(messages, (ushort)77);
        BitConverter.TryWriteBytes(messages.AsSpan(2), (ushort)16);
        ChannelFormat.Write(messages.AsSpan(16), new FileEvent { Directory = 1, Kinds = FileEventKinds.Create });
        ReadOnlySpan<byte> rest = messages;
        Assert.True(ChannelFormat.TryReadNext(ref rest, out ChannelMessageKind kind, out _, out _));
        Assert.Equal(ChannelMessageKind.None, kind);
        Assert.True(ChannelFormat.TryReadNext(ref rest, out kind, out FileEvent told, out _));
        Assert.Equal(ChannelMessageKind.Event, kind);
        Assert.Equal(1UL, told.Directory);
    }

    /// <summary>Any bytes end: each message is taken off or refused, and what is read lies within it.</summary>
    [Fact]
    public void Any_bytes_are_read_to_an_end()
    {
        Random random = new(2);
        byte[] bytes = new byte[400];
        int refused = 0;
        int read = 0;
        int locks = 0;
        for (int round = 0; round < 200_000; round++)
        {
            int length = random.Next(bytes.Length + 1);
            random.NextBytes(bytes.AsSpan(0, length));
            if (length >= ChannelFormat.EventBytesMin && random.Next(4) != 0)
            {
                // Nearly right.
                BitConverter.TryWriteBytes(bytes, (ushort)random.Next(1, 3));
                BitConverter.TryWriteBytes(bytes.AsSpan(2), (ushort)(random.Next(1, 20) * 8));
                BitConverter.TryWriteBytes(bytes.AsSpan(34), (ushort)random.Next(0, 80));
            }

            ReadOnlySpan<byte> rest = bytes.AsSpan(0, length);
            int before = int.MaxValue;
            while (!rest.IsEmpty && rest.Length < before)
            {
                before = rest.Length;
                if (!ChannelFormat.TryReadNext(ref rest, out ChannelMessageKind kind, out FileEvent told, out _))
                {
                    refused++;
                    break;
                }

                Assert.True(rest.Length < before);
                Assert.True(told.Name.Length <= ChannelConstants.NameBytesMax && !told.Name.Contains((byte)0));
                read += kind == ChannelMessageKind.Event ? 1 : 0;
                locks += kind == ChannelMessageKind.Lock ? 1 : 0;
            }
        }

        Assert.True(refused > 1000 && read > 1000 && locks > 1000, $"{refused} refused, {read} read, {locks} of locks");
    }

    private static FileEvent Make(Random random, byte[] name) => new()
    {
        Directory = (ulong)random.NextInt64(),
        Child = (ulong)random.NextInt64(),
        Kinds = (FileEventKinds)random.Next(),
        Cookie = (uint)random.Next(),
        Flags = (FileEventFlags)random.Next(8),
        Name = name,
    };
}
