using System.Security.Cryptography;
using Coherency.Guest.Files;

namespace Coherency.Daemon.Demo;

/// <summary>What the demo shows, in order. Every step checks what it did from the other side.</summary>
internal static class DemoSteps
{
    private const int Directories = 20;
    private const int FilesPerDirectory = 50;
    private const int Files = Directories * FilesPerDirectory;
    private const int BigFileBytes = 64 << 20;
    private const int ChunkBytes = 1 << 20;
    private const int LockRounds = 500;

    private static readonly byte[] RandomBytes = RandomNumberGenerator.GetBytes(2 * ChunkBytes);

    public static IReadOnlyList<DemoStep> All { get; } =
    [
        new("a creates a tree", "files", CreateTree),
        new("b lists it", "entries", ListTree),
        new("b stats every file", "files", StatTree),
        new("b reads every file", "files", ReadTree),
        new("b looks for absent files", "names", LookForAbsent),
        new("a renames every file", "files", RenameTree),
        new("a writes a large file", "MiB", WriteBigFile),
        new("b reads it back", "MiB", ReadBigFile),
        new("both count under one lock", "times", CountUnderLock),
        new("a unlinks what b has open", "files", UnlinkOpenFiles),
        new("b removes the tree", "files", RemoveTree),
        .. CoherenceSteps.All,
    ];

    private static IEnumerable<(string Directory, string Name)> Tree() =>
        from directory in Enumerable.Range(0, Directories)
        from file in Enumerable.Range(0, FilesPerDirectory)
        select ($"/tree/d{directory:d2}", $"f{file:d2}");

    private static byte[] ContentOf(string path) => SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(path));

    private static int CreateTree(DemoGuests guests)
    {
        guests.A.CreateDirectory("/tree");
        foreach (int directory in Enumerable.Range(0, Directories))
        {
            guests.A.CreateDirectory($"/tree/d{directory:d2}");
        }

        foreach ((string directory, string name) in Tree())
        {
            guests.A.WriteAllBytes($"{directory}/{name}", ContentOf(name));
        }

        int onHost = Directory.GetFiles(guests.HostDirectory, "*", SearchOption.AllDirectories).Length;
        Expect(onHost == Files, $"the host has {onHost} files, not {Files}");
        return Files;
    }

    private static int ListTree(DemoGuests guests)
    {
        int entries = 0;
        foreach (string directory in guests.B.List("/tree").Where(IsName))
        {
            entries += 1 + guests.B.List($"/tree/{directory}").Count(IsName);
        }

        Expect(entries == Directories + Files, $"guest b found {entries} entries");
        return entries;
    }

    private static int StatTree(DemoGuests guests)
    {
        foreach ((string directory, string name) in Tree())
        {
            Expect(guests.B.Stat($"{directory}/{name}").IsRegularFile, $"{name} is no file");
        }

        return Files;
    }

    private static int ReadTree(DemoGuests guests)
    {
        foreach ((string directory, string name) in Tree())
        {
            Expect(guests.B.ReadAllBytes($"{directory}/{name}").AsSpan().SequenceEqual(ContentOf(name)), $"{name} has other content");
        }

        return Files;
    }

    private static int LookForAbsent(DemoGuests guests)
    {
        foreach ((string directory, string name) in Tree())
        {
            Expect(!guests.B.Exists($"{directory}/{name}.absent"), $"{name}.absent exists");
        }

        return Files;
    }

    private static int RenameTree(DemoGuests guests)
    {
        foreach ((string directory, string name) in Tree())
        {
            guests.A.Rename($"{directory}/{name}", $"{directory}/{name}.done");
        }

        Expect(!guests.B.Exists("/tree/d00/f00") && guests.B.Exists("/tree/d00/f00.done"), "guest b does not see the new name");
        return Files;
    }

    private static int WriteBigFile(DemoGuests guests)
    {
        using GuestFile file = guests.A.CreateFile("/big");
        for (int i = 0; i < BigFileBytes / ChunkBytes; i++)
        {
            file.Write((long)i * ChunkBytes, Chunk(i));
        }

        return BigFileBytes / ChunkBytes;
    }

    private static int ReadBigFile(DemoGuests guests)
    {
        byte[] chunk = new byte[ChunkBytes];
        using GuestFile file = guests.B.Open("/big", Core.Linux.OpenFlags.O_RDONLY);
        for (int i = 0; i < BigFileBytes / ChunkBytes; i++)
        {
            int bytes = file.Read((long)i * ChunkBytes, chunk);
            Expect(bytes == ChunkBytes && chunk.AsSpan().SequenceEqual(Chunk(i)), $"MiB {i} differs");
        }

        return BigFileBytes / ChunkBytes;
    }

    /// <summary>A MiB that is like no other of the file: one block of random bytes, seen from another place each time.</summary>
    private static ReadOnlySpan<byte> Chunk(int index) => RandomBytes.AsSpan(index * 4099, ChunkBytes);

    /// <summary>Read, add one, write, in both guests at once: an increment would be lost if the lock did not exclude.</summary>
    private static int CountUnderLock(DemoGuests guests)
    {
        guests.A.WriteAllBytes("/counter", BitConverter.GetBytes(0));
        Parallel.Invoke(() => Increment(guests.A), () => Increment(guests.B));
        int count = BitConverter.ToInt32(guests.B.ReadAllBytes("/counter"));
        Expect(count == 2 * LockRounds, $"the counter is {count}, not {2 * LockRounds}");
        return count;

        static void Increment(GuestFileSystem guest)
        {
            byte[] value = new byte[sizeof(int)];
            using GuestFile file = guest.Open("/counter");
            for (int i = 0; i < LockRounds; i++)
            {
                file.Lock();
                file.Read(0, value);
                file.Write(0, BitConverter.GetBytes(BitConverter.ToInt32(value) + 1));
                file.Unlock();
            }
        }
    }

    private static int UnlinkOpenFiles(DemoGuests guests)
    {
        byte[] content = new byte[SHA256.HashSizeInBytes];
        foreach (int file in Enumerable.Range(0, FilesPerDirectory))
        {
            string path = $"/tree/d00/f{file:d2}.done";
            using GuestFile open = guests.B.Open(path);
            guests.A.DeleteFile(path);
            open.Read(0, content);
            Expect(content.AsSpan().SequenceEqual(ContentOf($"f{file:d2}")), $"{path} lost its content while it was open");
        }

        return FilesPerDirectory;
    }

    private static int RemoveTree(DemoGuests guests)
    {
        int removed = 0;
        foreach (string directory in guests.B.List("/tree").Where(IsName))
        {
            foreach (string name in guests.B.List($"/tree/{directory}").Where(IsName))
            {
                guests.B.DeleteFile($"/tree/{directory}/{name}");
                removed++;
            }

            guests.B.DeleteDirectory($"/tree/{directory}");
        }

        guests.B.DeleteDirectory("/tree");
        Expect(!Directory.Exists(Path.Combine(guests.HostDirectory, "tree")), "the host still has the tree");
        return removed;
    }

    private static bool IsName(string name) => name is not ("." or "..");

    public static void Expect(bool condition, string otherwise)
    {
        if (!condition)
        {
            throw new DemoFailure(otherwise);
        }
    }
}
