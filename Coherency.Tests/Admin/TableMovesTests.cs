using Coherency.Core.Versioning;
using Coherency.Daemon.Reports;
using Xunit;

namespace Coherency.Tests.Admin;

/// <summary>Looking at a table, whose memory goes when the daemon stops.</summary>
public sealed class TableMovesTests
{
    [Fact]
    public async Task Disposing_waits_for_the_look_that_is_under_way()
    {
        using VersionTableWriter table = VersionTableWriter.CreateAnonymous(new VersionTableDescription("t", 1, 1024, 1000));
        using ScanGate scans = new();
        TableMoves moves = new(table, scans);
        using ManualResetEventSlim mayEnd = new();
        int begun = 0;
        // All that the gate lets through: the look has begun, and waits.
        Task[] others = [.. Enumerable.Range(0, 2).Select(_ => scans.RunAsync(Block, CancellationToken.None))];
        Assert.True(SpinWait.SpinUntil(() => Volatile.Read(ref begun) == others.Length, TimeSpan.FromSeconds(30)));
        Task<TableRate> look = moves.LookAsync(new ulong[4], CancellationToken.None);
        Task disposing = Task.Run(moves.Dispose);
        await Task.Delay(100);
        bool isTooEarly = disposing.IsCompleted;
        mayEnd.Set();
        await Task.WhenAll(others);
        Assert.Equal(0UL, (await look).Moves);
        await disposing.WaitAsync(TimeSpan.FromSeconds(30));
        Assert.False(isTooEarly);

        bool Block()
        {
            Interlocked.Increment(ref begun);
            mayEnd.Wait();
            return true;
        }
    }
}
