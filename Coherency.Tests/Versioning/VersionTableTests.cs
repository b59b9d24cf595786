using Coherency.Core.Linux;
using Coherency.Core.Versioning;
using Coherency.Core.Versioning.Abi;
using Xunit;

namespace Coherency.Tests.Versioning;

/// <summary>Writer and reader of one table, in two mappings of it.</summary>
public sealed class VersionTableTests : IDisposable
{
    private const int Slots = 1024;

    private static readonly SlotKey A = new(5);
    private static readonly SlotKey B = new(6);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("coherency-table-");
    private readonly string _path;

    public VersionTableTests() => _path = Path.Combine(_folder.FullName, "guest.table");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void A_new_table_says_what_it_was_made_for()
    {
        using VersionTableWriter writer = Open(rootKey: 77, tag: "code");
        using VersionTableReader reader = VersionTableReader.Open(_path);
        Assert.Equal(("code", 77UL, Slots), (reader.Tag, reader.RootKey, reader.SlotCount));
        Assert.Equal(writer.InstanceId, reader.InstanceId);
        Assert.Equal(VersionTableFlags.None, reader.Flags);
        writer.Flags = VersionTableFlags.HostWatched;
        Assert.Equal(VersionTableFlags.HostWatched, reader.Flags);
        Assert.True(System.Numerics.BitOperations.IsPow2(new FileInfo(_path).Length));
        ulong heartbeat = reader.Heartbeat;
        writer.Beat();
        Assert.NotEqual(heartbeat, reader.Heartbeat);
    }

    [Fact]
    public void A_sample_counts_until_its_slot_is_touched()
    {
        using VersionTableWriter writer = Open();
        using VersionTableReader reader = VersionTableReader.Open(_path);
        VersionSample a = reader.Sample(A);
        VersionSample b = reader.Sample(B);
        Assert.True(a.Counts && reader.IsCurrent(A, a));
        writer.Begin([A]);
        Assert.False(reader.IsCurrent(A, a));
        // What is sampled while a change is under way never counts, not even while nothing moves.
        VersionSample during = reader.Sample(A);
        Assert.False(during.Counts || reader.IsCurrent(A, during));
        writer.End([A]);
        Assert.False(reader.IsCurrent(A, a) || reader.IsCurrent(A, during));
        Assert.True(reader.IsCurrent(A, reader.Sample(A)));
        Assert.True(reader.IsCurrent(B, b));
        Assert.False(VersionSample.None.Counts);
    }

    [Fact]
    public void Of_two_changes_at_once_the_last_to_end_counts()
    {
        using VersionTableWriter writer = Open();
        using VersionTableReader reader = VersionTableReader.Open(_path);
        writer.Begin([A, B]);
        writer.Begin([A]);
        writer.End([A, B]);
        Assert.False(reader.Sample(A).Counts);
        Assert.True(reader.Sample(B).Counts);
        writer.End([A]);
        Assert.True(reader.Sample(A).Counts);
    }

    [Fact]
    public void An_answered_inode_has_a_sample_only_if_nothing_began_or_ended_meanwhile()
    {
        using VersionTableWriter writer = Open();
        using VersionTableReader reader = VersionTableReader.Open(_path);
        ulong before = reader.Mutations;
        Assert.True(reader.SampleAnswered(A, before).Counts);
        writer.Begin([B]);
        Assert.Equal(VersionSample.None, reader.SampleAnswered(A, before));
        before = reader.Mutations;
        writer.End([B]);
        Assert.Equal(VersionSample.None, reader.SampleAnswered(A, before));
        before = reader.Mutations;
        writer.Move([A]);
        Assert.Equal(VersionSample.None, reader.SampleAnswered(A, before));
        before = reader.Mutations;
        writer.MoveEpoch();
        Assert.Equal(VersionSample.None, reader.SampleAnswered(A, before));
    }

    [Fact]
    public void A_moved_epoch_makes_everything_stale()
    {
        using VersionTableWriter writer = Open();
        using VersionTableReader reader = VersionTableReader.Open(_path);
        VersionSample sample = reader.Sample(A);
        writer.MoveEpoch();
        Assert.False(reader.IsCurrent(A, sample));
        Assert.True(reader.IsCurrent(A, reader.Sample(A)));
    }

    /// <summary>The kernel's reader keeps 16 bits of the epoch.</summary>
    [Fact]
    public void Sixteen_bits_of_the_epoch_and_the_version_are_never_the_same_again()
    {
        using VersionTableWriter writer = Open();
        HashSet<(ulong, ulong)> seen = [];
        for (int i = 0; i < 150_000; i++)
        {
            Assert.NotEqual(0UL, writer.Epoch & 0xFFFF);
            Assert.True(seen.Add((writer.Epoch & 0xFFFF, writer.ReadSlot(A))));
            writer.MoveEpoch();
        }
    }

    [Fact]
    public void A_restart_ends_what_was_under_way_and_lets_nothing_cached_survive()
    {
        VersionTableWriter killed = Open();
        using VersionTableReader reader = VersionTableReader.Open(_path);
        VersionSample a = reader.Sample(A);
        VersionSample b = reader.Sample(B);
        killed.Begin([A]);
        ulong instance = reader.InstanceId;
        Abandon(killed);

        using VersionTableWriter restarted = Open();
        Assert.NotEqual(instance, reader.InstanceId);
        Assert.False(reader.IsCurrent(A, a) || reader.IsCurrent(B, b));
        Assert.True(reader.Sample(A).Counts);
        Assert.True(reader.Sample(A).Slot > a.Slot);
    }

    [Fact]
    public void A_second_daemon_is_refused()
    {
        using VersionTableWriter first = Open();
        VersionTableException refused = Assert.Throws<VersionTableException>(() => Open());
        Assert.Contains("another daemon", refused.Message, StringComparison.Ordinal);
        Assert.Contains("--table-dir", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_table_of_another_size_is_refused_and_left_as_it_is()
    {
        Open().Dispose();
        byte[] before = File.ReadAllBytes(_path);
        VersionTableException refused = Assert.Throws<VersionTableException>(() => Open(slots: 2 * Slots));
        Assert.Contains("--table-slots", refused.Message, StringComparison.Ordinal);
        Assert.Equal(before, File.ReadAllBytes(_path));
    }

    [Theory]
    [InlineData(0, "does not hold a version table")]
    [InlineData(8, "layout")]
    [InlineData(12, "layout")]
    [InlineData(16, "slots")]
    [InlineData(44, "must be zero")]
    [InlineData(100, "must be zero")]
    [InlineData(4000, "must be zero")]
    public void A_damaged_table_is_refused_by_readers_and_made_anew_by_the_daemon(int offset, string expected)
    {
        Open().Dispose();
        byte[] bytes = File.ReadAllBytes(_path);
        bytes[offset] ^= 0x42;
        File.WriteAllBytes(_path, bytes);
        Assert.Contains(
            expected, Assert.Throws<VersionTableException>(() => VersionTableReader.Open(_path)).Message, StringComparison.Ordinal);
        using VersionTableWriter writer = Open();
        Assert.Contains(expected, writer.ReplacedBecause, StringComparison.Ordinal);
        using VersionTableReader reader = VersionTableReader.Open(_path);
        Assert.True(reader.Sample(A).Counts);
    }

    /// <summary>A reader that asked twice would look for slots far beyond the memory.</summary>
    [Fact]
    public void A_header_that_changes_while_it_is_judged_misleads_no_reader()
    {
        const int Attempts = 10_000;
        using VersionTableWriter writer = Open();
        using CancellationTokenSource done = new();
        Thread liar = new(() => Lie(writer.Fd, done.Token));
        liar.Start();
        try
        {
            for (int i = 0; i < Attempts; i++)
            {
                AssertRefusesOrKnows(Slots);
            }
        }
        finally
        {
            done.Cancel();
            liar.Join();
        }

        using VersionTableReader reader = VersionTableReader.Open(_path);
        Assert.Equal(Slots, reader.SlotCount);
    }

    /// <summary>Says again and again that there are more slots than there are.</summary>
    private static unsafe void Lie(int fd, CancellationToken done)
    {
        using MemoryMapping mapping = MemoryMapping.MapShared(fd, VersionTableConstants.HeaderBytes);
        coherency_table_header* header = (coherency_table_header*)mapping.Start;
        while (!done.IsCancellationRequested)
        {
            Volatile.Write(ref header->slot_count, VersionTableConstants.SlotsMax);
            Thread.SpinWait(8);
            Volatile.Write(ref header->slot_count, Slots);
            Thread.SpinWait(8);
        }
    }

    private void AssertRefusesOrKnows(int slotCount)
    {
        try
        {
            using VersionTableReader reader = VersionTableReader.Open(_path);
            Assert.Equal(slotCount, reader.SlotCount);
        }
        catch (VersionTableException refused)
        {
            Assert.Contains("slots", refused.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_short_file_is_refused_by_the_reader()
    {
        File.WriteAllBytes(_path, new byte[100]);
        Assert.Contains(
            "too few", Assert.Throws<VersionTableException>(() => VersionTableReader.Open(_path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_symbolic_link_is_not_followed()
    {
        File.CreateSymbolicLink(_path, Path.Combine(_folder.FullName, "elsewhere"));
        Assert.Throws<VersionTableException>(() => Open());
        Assert.False(File.Exists(Path.Combine(_folder.FullName, "elsewhere")));
    }

    [Fact]
    public void A_file_of_another_user_is_refused()
    {
        // Only root can give a file away; everybody else finds one that is root's.
        bool isRoot = Libc.GetEUid() == 0;
        if (isRoot)
        {
            File.WriteAllBytes(_path, []);
            ChildProcess.Run("chown", ["12345", _path]);
        }

        string path = isRoot ? _path : "/etc/passwd";
        VersionTableException refused = Assert.Throws<VersionTableException>(
            () => VersionTableWriter.Open(path, new VersionTableDescription("tag", 1, Slots, 1000)));
        Assert.Contains(isRoot ? "not a file of this user" : "Permission denied", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(512)]
    [InlineData(1025)]
    [InlineData(-1024)]
    public void An_impossible_number_of_slots_is_refused(int slots) =>
        Assert.Contains("power of two", Assert.Throws<VersionTableException>(() => Open(slots: slots)).Message, StringComparison.Ordinal);

    [Fact]
    public void Threads_that_change_at_once_lose_nothing()
    {
        const int Threads = 4;
        const int Changes = 50_000;
        using VersionTableWriter writer = Open();
        ulong before = writer.ReadSlot(A);
        ulong mutations = writer.Mutations;
        Parallel.For(0, Threads, _ =>
        {
            for (int i = 0; i < Changes; i++)
            {
                writer.Begin([A, B]);
                writer.End([A, B]);
            }
        });
        Assert.Equal(before + ((ulong)(Threads * Changes) << VersionTableConstants.VersionShift), writer.ReadSlot(A));
        Assert.Equal(mutations + (2 * Threads * Changes), writer.Mutations);
    }

    private VersionTableWriter Open(ulong rootKey = 1000, string tag = "tag", int slots = Slots) =>
        VersionTableWriter.Open(_path, new VersionTableDescription(tag, rootKey, slots, 1000));

    /// <summary>As a SIGKILL leaves it: unlocked, mapped by nobody, with the header as it is.</summary>
    private void Abandon(VersionTableWriter writer)
    {
        // By another program: .NET's own files respect the writer's lock.
        string copy = _path + ".copy";
        ChildProcess.Run("cp", [_path, copy]);
        writer.Dispose();
        ChildProcess.Run("cp", [copy, _path]);
    }
}
