using System.Buffers.Binary;
using System.Text;
using Coherency.Core.Versioning.Abi;
using Coherency.Guest.VirtualMachines;
using Xunit;
using Xunit.Abstractions;

namespace Coherency.Tests.Vm;

/// <summary>A daemon says what makes no sense, instead of telling of changes: the module passes nothing on that cannot be.</summary>
public sealed class FalseDaemonTests(ITestOutputHelper output) : SingleGuestTest
{
    private const uint Create = 0x100;
    private const int MessageStart = 8;
    private const int EventBytes = 40;
    private const int LockBytes = 16;

    private static readonly int RandomBlocks = Soak.Count(100, 20_000);
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(Soak.Count(5, 60));

    [Theory]
    [InlineData("stable")]
    [InlineData("sid")]
    public async Task What_cannot_be_is_not_passed_on(string kernel)
    {
        await using CoherentServer server = new(Shared, Work, ["a"], configure: share => share.Events = false);
        FalseChannel channel = new();
        server.Gate.Channel = channel;
        await using VirtualMachine guest = await BootAsync(server, kernel);
        string keyDigits = await guest.ExpectAsync($"cat /sys/fs/coherency/{SharingDaemon.Tag}/root_key");
        ulong root = ulong.Parse(keyDigits, System.Globalization.NumberStyles.HexNumber, System.Globalization.CultureInfo.InvariantCulture);
        Watcher watcher = await Watcher.StartAsync(guest, TwoGuests.MountPoint, ".");

        byte[][] wrong =
        [
            [], [8], [8, 0, 0, 0, 0, 0, 0], Block(root, "length", block => block[0] = 4), Block(root, "length", block => block[0] = 255),
            Block(root, "no-length", block => block[MessageStart + 2] = 0), Block(
                root, "odd", block => block[MessageStart + 2] = EventBytes + 1),
            Block(root, "beyond", block => block[MessageStart + 2] = 200), Block(root, "short", block => block[MessageStart + 2] = 16),
            Block(root, "name", block => block[MessageStart + 34] = 200), Block(root, "name", block => block[MessageStart + 35] = 1),
            Block(root, "."), Block(root, ".."), Block(root, "a/b"), Block(root, "a\0b"), Block(root, "/"),
            LockBlock(root, block => block[MessageStart + 2] = 8), LockBlock(root, block => block[MessageStart + 2] = 24),
            LockBlock(0), LockBlock(root)[..12],
        ];
        foreach (byte[] block in wrong)
        {
            channel.Say(block);
        }

        Random random = new(1);
        for (int i = 0; i < RandomBlocks; i++)
        {
            byte[] block = Block(root, "random-name-here");
            for (int bytes = random.Next(1, 5); bytes > 0; bytes--)
            {
                block[random.Next(MessageStart + EventBytes)] = (byte)random.Next(256);
            }

            channel.Say(block);
        }

        // Of locks that nobody waits for, it may be said.
        channel.Say(LockBlock(root));
        channel.Say(LockBlock(ulong.MaxValue));
        channel.Say([8, 0, 0, 0, 2, 0, 0, 0]);

        // What is sound is still passed on, also behind what the module does not know.
        byte[] unknown = [.. Block(root, "unknown").AsSpan(MessageStart, EventBytes)];
        unknown[0] = 77;
        unknown[2] = EventBytes;
        byte[] sound = Block(root, "sound");
        byte[] both = [.. sound.AsSpan(0, MessageStart), .. unknown, .. sound.AsSpan(MessageStart)];
        BinaryPrimitives.WriteInt32LittleEndian(both, both.Length);
        channel.Say(both);
        DateTime end = DateTime.UtcNow + Patience;
        List<string> told = [];
        while (!told.Contains(". CREATE sound") && DateTime.UtcNow < end)
        {
            told.AddRange(await watcher.TakeAsync());
        }

        Assert.Contains(". CREATE sound", told);
        Assert.DoesNotContain(told, told => told.Contains("CREATE a", StringComparison.Ordinal) || told.EndsWith(
            "CREATE .", StringComparison.Ordinal)
            || told.EndsWith("CREATE ..", StringComparison.Ordinal) || told.Contains("length", StringComparison.Ordinal));
        Assert.NotEqual("0", await guest.ExpectAsync($"cat /sys/fs/coherency/{SharingDaemon.Tag}/events_lost"));
        await guest.ExpectAsync($"killall guest-tool; umount {TwoGuests.MountPoint} && rmmod coherency");
        guest.AssertKernelIsSound();
        output.WriteLine($"{kernel}: {wrong.Length} wrong answers and {RandomBlocks} random ones; told {told.Count} events");
    }

    /// <summary>An answer that says that a lock may be free.</summary>
    private static byte[] LockBlock(ulong inode, Action<byte[]>? spoil = null)
    {
        byte[] block = new byte[MessageStart + LockBytes];
        BinaryPrimitives.WriteInt32LittleEndian(block, block.Length);
        BinaryPrimitives.WriteUInt16LittleEndian(block.AsSpan(MessageStart), (ushort)ChannelMessageKind.Lock);
        BinaryPrimitives.WriteUInt16LittleEndian(block.AsSpan(MessageStart + 2), LockBytes);
        BinaryPrimitives.WriteUInt64LittleEndian(block.AsSpan(MessageStart + 8), inode);
        spoil?.Invoke(block);
        return block;
    }

    /// <summary>An answer with one event: a name was made in a directory.</summary>
    private static byte[] Block(ulong directory, string name, Action<byte[]>? spoil = null)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(name);
        int message = (EventBytes + bytes.Length + 7) / 8 * 8;
        byte[] block = new byte[MessageStart + message];
        BinaryPrimitives.WriteInt32LittleEndian(block, block.Length);
        BinaryPrimitives.WriteUInt16LittleEndian(block.AsSpan(MessageStart), (ushort)ChannelMessageKind.Event);
        BinaryPrimitives.WriteUInt16LittleEndian(block.AsSpan(MessageStart + 2), (ushort)message);
        BinaryPrimitives.WriteUInt64LittleEndian(block.AsSpan(MessageStart + 8), directory);
        BinaryPrimitives.WriteUInt32LittleEndian(block.AsSpan(MessageStart + 24), Create);
        BinaryPrimitives.WriteUInt16LittleEndian(block.AsSpan(MessageStart + 34), (ushort)bytes.Length);
        bytes.CopyTo(block, MessageStart + EventBytes);
        spoil?.Invoke(block);
        return block;
    }
}
