using Coherency.Core.Linux;
using Coherency.Host.Passthrough;
using Coherency.Host.Server;

namespace Coherency.Tests.Passthrough;

/// <summary>The ranges of one owner, against an array with the lock of each byte.</summary>
public sealed class LockRangesTests
{
    private const int Bytes = 24;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Ranges_are_what_each_byte_says(int seed)
    {
        Random random = new(seed);
        LockRanges ranges = new();
        short[] locks = [.. Enumerable.Repeat(LockFlags.F_UNLCK, Bytes)];
        for (int step = 0; step < 5_000; step++)
        {
            int start = random.Next(Bytes);
            int end = random.Next(start, Bytes);
            FileLock change = new() { Type = (short)random.Next(3), Start = start, End = end };
            ranges.Set(change);
            Array.Fill(locks, change.Type, start, end - start + 1);
            Check(ranges, locks);
        }
    }

    [Fact]
    public void The_end_of_the_last_byte_is_no_beginning()
    {
        LockRanges ranges = new();
        ranges.Set(new FileLock { Type = LockFlags.F_WRLCK, Start = 10, End = long.MaxValue });
        ranges.Set(new FileLock { Type = LockFlags.F_UNLCK, Start = 20, End = long.MaxValue });
        Assert.Equal(1, ranges.Count);
        Assert.True(ranges.StandInTheWayOf(new FileLock { Type = LockFlags.F_RDLCK, Start = 19, End = long.MaxValue }));
        Assert.False(ranges.StandInTheWayOf(new FileLock { Type = LockFlags.F_RDLCK, Start = 20, End = long.MaxValue }));
    }

    private static void Check(LockRanges ranges, short[] locks)
    {
        int runs = Enumerable.Range(0, Bytes).Count(i => locks[i] != LockFlags.F_UNLCK && (i == 0 || locks[i - 1] != locks[i]));
        Assert.Equal(runs, ranges.Count);
        Assert.Equal(locks.Contains(LockFlags.F_WRLCK), ranges.AnyWrite);
        for (int i = 0; i < Bytes; i++)
        {
            FileLock reading = new() { Type = LockFlags.F_RDLCK, Start = i, End = i };
            Assert.Equal(locks[i] == LockFlags.F_WRLCK, ranges.StandInTheWayOf(reading));
            Assert.Equal(locks[i] != LockFlags.F_UNLCK, ranges.StandInTheWayOf(reading with { Type = LockFlags.F_WRLCK }));
        }
    }
}
