using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Host.Passthrough;
using Coherency.Host.Server;
using Xunit;
using Xunit.Abstractions;

namespace Coherency.Tests.Passthrough;

/// <summary>What an inode and a request cost. They run alone: descriptors and memory are counted for the whole process.</summary>
[Collection("Alone")]
public sealed unsafe class ScaleTests(ITestOutputHelper output)
{
    private const int FileCount = 100_000;

    /// <summary>Record, index and the session's count together, at their fullest and emptiest.</summary>
    private const double BytesPerInodeMax = 80;

    private const int WarmUpRounds = 1000;

    [Fact]
    public void A_hundred_thousand_inodes_need_few_descriptors_and_little_memory()
    {
        using TestShare share = new(o => o with { CachedDescriptorsMax = 512 }, "/dev/shm");
        string[] names = [.. Enumerable.Range(0, FileCount).Select(i => $"{i}")];
        Array.ForEach(names, name => File.Create(share.Path(name)).Dispose());
        TestGuest guest = share.OpenGuest();
        int descriptors = TestShare.OpenDescriptors;
        long memory = GC.GetTotalMemory(forceFullCollection: true);
        HashSet<ulong> nodes = new(FileCount);
        long ownMemory = GC.GetTotalMemory(forceFullCollection: true) - memory;
        long started = Environment.TickCount64;
        foreach (string name in names)
        {
            TestGuest.Expect(guest.TryLookup(NodeId.Root, name, out Entry entry));
            Assert.True(nodes.Add(entry.Node.Value));
        }

        long elapsed = Environment.TickCount64 - started;
        double perInode = (GC.GetTotalMemory(forceFullCollection: true) - memory - ownMemory) / (double)FileCount;
        GC.KeepAlive(names);
        output.WriteLine($"{perInode:F1} bytes per inode, {FileCount * 1000L / Math.Max(elapsed, 1)} cold lookups/s");
        Assert.InRange(perInode, 0, BytesPerInodeMax);
        Assert.Equal(FileCount + 1, share.Share.InodeCount);
        Assert.InRange(TestShare.OpenDescriptors - descriptors, 0, 600);

        foreach (ulong node in nodes)
        {
            guest.Files.Forget(new NodeId(node), 1);
        }

        Assert.Equal(1, share.Share.InodeCount);
    }

    [Theory]
    [InlineData(InodeFileHandles.Mandatory)]
    [InlineData(InodeFileHandles.Never)]
    public void Requests_allocate_nothing(InodeFileHandles handles)
    {
        using TestShare share = new(o => o with { InodeFileHandles = handles });
        for (int i = 0; i < 50; i++)
        {
            share.WriteFile($"{i}");
        }

        using PassthroughFileSystem files = share.Share.OpenSession();
        CountingSink sink = new();
        byte* memory = stackalloc byte[4096];
        ReadOnlySpan<byte> nameBytes = "7\0"u8;
        fixed (byte* name = nameBytes)
        {
            EntryName entryName = new(name, 1);
            // Made inodes have random keys: until each shard of the table had one, and so its first chunk of records.
            for (int i = 0; i < WarmUpRounds; i++)
            {
                RunAll(files, entryName, memory, sink);
            }

            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 100; i++)
            {
                RunAll(files, entryName, memory, sink);
            }

            Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.True(sink.Count >= (WarmUpRounds + 100) * 52);
    }

    [Fact]
    public void Requests_by_node_allocate_nothing()
    {
        using TestShare share = new();
        share.WriteFile("7");
        using PassthroughFileSystem files = share.Share.OpenSession();
        Assert.True(files.TryDoWithoutOpens());
        CountingSink sink = new();
        byte* memory = stackalloc byte[4096];
        ReadOnlySpan<byte> nameBytes = "7\0"u8;
        fixed (byte* name = nameBytes)
        {
            EntryName entryName = new(name, 1);
            for (int i = 0; i < WarmUpRounds; i++)
            {
                RunAllByNode(files, entryName, memory, sink);
            }

            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 100; i++)
            {
                RunAllByNode(files, entryName, memory, sink);
            }

            Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.True(sink.Count >= WarmUpRounds + 100);
    }

    private static void RunAllByNode(PassthroughFileSystem files, EntryName name, byte* memory, CountingSink sink)
    {
        Check(files.Lookup(NodeId.Root, name, out Entry entry));
        FileTarget file = new(entry.Node, default);
        FileTarget root = new(NodeId.Root, default);
        IoVec vector = new(memory, 4096);
        Check(files.Read(file, &vector, 1, 0, mayWait: true, out _));
        Check(files.Write(TestGuest.Root, file, &vector, 1, 0, FuseWriteFlags.KillSuidgid, out _));
        Check(files.Read(file, &vector, 1, 0, mayWait: true, out _));
        Check(files.Sync(file, true));
        Check(files.Allocate(TestGuest.Root, file, 0, 0, 4096));
        Check(files.SetLock(file, 1, new FileLock { Type = LockFlags.F_WRLCK, End = 10 }));
        Check(files.SetFlock(file, 1, LockFlags.F_WRLCK));
        Check(files.SetFlock(file, 1, LockFlags.F_UNLCK));
        Check(files.Flush(file, 1));
        Check(files.ReadDirectory(root, 0, true, sink));
        files.KeepOpened(entry.Node);
        files.LetClosed(entry.Node);
        files.Forget(entry.Node, 2);
    }

    private static void RunAll(PassthroughFileSystem files, EntryName name, byte* memory, CountingSink sink)
    {
        Caller other = new(1000, 1000, 1, 2000, 0x12);
        Check(files.Lookup(NodeId.Root, name, out Entry entry));
        Check(files.GetAttributes(entry.Node, null, out _));
        Check(files.Open(TestGuest.Root, entry.Node, OpenFlags.O_RDWR, false, out FileHandle handle));
        IoVec vector = new(memory, 4096);
        Check(files.Read(handle, &vector, 1, 0, mayWait: true, out _));
        Check(files.Write(TestGuest.Root, handle, &vector, 1, 0, FuseWriteFlags.KillSuidgid, out _));
        Check(files.SetLock(handle, 1, new FileLock { Type = LockFlags.F_WRLCK, End = 10 }));
        Check(files.Flush(handle, 1));
        Check(files.Release(handle, FuseReleaseFlags.None, 0));
        Check(files.OpenDirectory(NodeId.Root, out FileHandle directory));
        Check(files.ReadDirectory(directory, 0, true, sink));
        Check(files.ReleaseDirectory(directory));
        files.Forget(entry.Node, 2);
        fixed (byte* made = "made\0"u8)
        {
            EntryName newName = new(made, 4);
            Check(files.Create(other, NodeId.Root, newName, OpenFlags.O_RDWR, 0x1A4, false, out Entry created, out handle));
            Check(files.Unlink(NodeId.Root, newName));
            Check(files.Release(handle, FuseReleaseFlags.None, 0));
            files.Forget(created.Node, 1);
        }
    }

    private static void Check(Errno errno)
    {
        if (errno != Errno.None)
        {
            throw new LinuxException("request", errno);
        }
    }

    private sealed class CountingSink : IDirectorySink
    {
        public int Count { get; private set; }

        public bool HasRoom(int nameBytes) => true;

        public void Add(in DirectoryPosition position, ReadOnlySpan<byte> name) => Count++;

        public void AddPlus(in DirectoryPosition position, ReadOnlySpan<byte> name, in Entry entry) => Count++;
    }
}

/// <summary>Tests that nothing else runs beside.</summary>
[CollectionDefinition("Alone", DisableParallelization = true)]
public sealed class AloneCollection;
