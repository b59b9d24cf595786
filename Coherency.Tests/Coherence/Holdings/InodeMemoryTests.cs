using System.Globalization;
using System.Text;
using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Tests.Passthrough;
using Xunit.Abstractions;

namespace Coherency.Tests.Coherence.Holdings;

/// <summary>What the daemon's memory grows by when a guest looks up a million inodes, with all that is recorded of them.</summary>
[Collection("Alone")]
[Trait("Category", "Slow")]
public sealed unsafe class InodeMemoryTests : IDisposable
{
    private const int Directories = 1_000;
    private const int FilesPerDirectory = 1_000;

    /// <summary>Looked up beforehand, so that code, buffers and kept descriptors are there.</summary>
    private const int WarmUpDirectories = 10;

    private const double BytesPerInodeMax = 200;

    /// <summary>
    /// An inode that takes the place of one that was forgotten needs a count of references, which is given back, and little else.
    /// </summary>
    private const double BytesPerInodeAgainMax = 10;

    private readonly ITestOutputHelper _output;
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("coherency-inodes-");
    private readonly TemporaryMount _mount;
    private readonly byte[][] _names =
        [.. Enumerable.Range(0, FilesPerDirectory).Select(
            i => Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"file{i:D4}.dat\0")))];

    public InodeMemoryTests(ITestOutputHelper output)
    {
        _output = output;
        _mount = new TemporaryMount(_directory.FullName, "inodes", "tmpfs");
    }

    /// <summary>
    /// Of what the test host itself opens meanwhile, for its timers and its other threads; one for each inode would be a million.
    /// </summary>
    private const int ForeignDescriptorsMax = 16;

    [Fact]
    public void A_million_inodes_take_two_hundred_bytes_each_and_no_descriptor()
    {
        MakeFiles();
        using HoldingsBed bed = new(directory: _directory.FullName);
        using DirectClient client = bed.ConnectDirectly("guest");
        NodeId[] nodes = new NodeId[Directories * (FilesPerDirectory + 1)];
        LookUp(client, nodes, 0, WarmUpDirectories);
        long before = ReadMemory(client);
        int descriptors = TestShare.OpenDescriptors;

        LookUp(client, nodes, WarmUpDirectories, Directories);
        long grown = ReadMemory(client) - before;
        double perInode = (double)grown / ((Directories - WarmUpDirectories) * (FilesPerDirectory + 1));
        _output.WriteLine(
            $"{perInode:F1} bytes per inode, {client.Held.Bytes / (double)nodes.Length:F1} of them for the record of what is held; " +
            $"{TestShare.OpenDescriptors - descriptors} descriptors more");
        Assert.Equal(nodes.Length + 1, client.Held.Nodes);
        Assert.Equal(0, client.Held.Unrecorded);
        Assert.InRange(perInode, 100, BytesPerInodeMax);
        Assert.InRange(TestShare.OpenDescriptors - descriptors, -ForeignDescriptorsMax, ForeignDescriptorsMax);

        Array.ForEach(nodes, client.Forget);
        Assert.Equal(1, client.Held.Nodes);
        Assert.Equal(1, bed.Share.InodeCount);
        long forgotten = ReadMemory(client);
        LookUp(client, nodes, 0, Directories / 2);
        double again = (ReadMemory(client) - forgotten) / (nodes.Length / 2.0);
        GC.KeepAlive(nodes);
        _output.WriteLine($"half of them again, after all were forgotten: {again:F1} bytes per inode");
        // Less than nothing when what earlier tests have left is given back meanwhile.
        Assert.True(again <= BytesPerInodeAgainMax, $"{again:F1} bytes per inode");
    }

    public void Dispose()
    {
        _mount.Dispose();
        _directory.Delete();
    }

    private static byte[] DirectoryName(int directory) =>
        Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"d{directory:D5}\0"));

    private void MakeFiles()
    {
        for (int directory = 0; directory < Directories; directory++)
        {
            string path = Path.Combine(_directory.FullName, Encoding.UTF8.GetString(DirectoryName(directory)).TrimEnd('\0'));
            Directory.CreateDirectory(path);
            fixed (byte* pathBytes = Encoding.UTF8.GetBytes(path + '\0'))
            {
                int fd = Libc.OpenAt(OpenFlags.AT_FDCWD, pathBytes, OpenFlags.O_PATH);
                foreach (byte[] name in _names)
                {
                    fixed (byte* nameBytes = name)
                    {
                        LinuxException.Check(Libc.MkNodAt(fd, nameBytes, StatFlags.S_IFREG, 0), "mknodat");
                    }
                }

                Libc.Close(fd);
            }
        }
    }

    private void LookUp(DirectClient client, NodeId[] nodes, int first, int end)
    {
        for (int directory = first; directory < end; directory++)
        {
            Span<NodeId> found = nodes.AsSpan(directory * (FilesPerDirectory + 1), FilesPerDirectory + 1);
            found[0] = client.Lookup(DirectoryName(directory));
            for (int i = 0; i < FilesPerDirectory; i++)
            {
                found[i + 1] = client.Lookup(found[0], _names[i]);
            }
        }
    }

    /// <summary>
    /// Bytes in use on the managed heap and of the record, which is beside it. What is resident says little of a test's own: the
    /// test host has used gigabytes to find the tests, and gives them back at any time.
    /// </summary>
    private static long ReadMemory(DirectClient client) => GC.GetTotalMemory(forceFullCollection: true) + client.Held.Bytes;
}
