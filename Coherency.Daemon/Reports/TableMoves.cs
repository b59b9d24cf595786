using System.Diagnostics;
using Coherency.Core.Versioning;

namespace Coherency.Daemon.Reports;

/// <summary>What a look at a table has found.</summary>
/// <param name="Moves">Since the daemon opened the table.</param>
internal readonly record struct TableRate(ulong Moves, double MovesPerSecond, int SlotsInChange);

/// <summary>
/// How fast the slots of a table move, from the versions that they have at two times: nothing is counted where they are moved.
/// </summary>
internal sealed class TableMoves : IDisposable
{
    /// <summary>The rate is that of at least so long.</summary>
    private static readonly TimeSpan ShortestTime = TimeSpan.FromMilliseconds(250);

    /// <summary>And of at most so long, lest a quiet night hides a busy minute.</summary>
    private static readonly TimeSpan LongestTime = TimeSpan.FromSeconds(10);

    private readonly VersionTableWriter _table;
    private readonly ScanGate _scans;
    private readonly SemaphoreSlim _turn = new(1);
    private readonly ulong _atStart;
    private Sample _earlier;
    private Sample _later;

    public TableMoves(VersionTableWriter table, ScanGate scans)
    {
        _table = table;
        _scans = scans;
        _atStart = table.Survey([]).Versions;
        _earlier = _later = new Sample(Stopwatch.GetTimestamp(), _atStart);
    }

    private readonly record struct Sample(long Time, ulong Versions);

    /// <param name="heat">Versions summed up over each of so many runs of slots.</param>
    public async Task<TableRate> LookAsync(ulong[] heat, CancellationToken cancellation)
    {
        await _turn.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            if (Stopwatch.GetElapsedTime(_later.Time) > LongestTime)
            {
                _later = await _scans.RunAsync(() => Take([]).Sample, cancellation).ConfigureAwait(false);
                await Task.Delay(ShortestTime, cancellation).ConfigureAwait(false);
            }

            (Sample now, int slotsInChange) = await _scans.RunAsync(() => Take(heat), cancellation).ConfigureAwait(false);
            return new TableRate(now.Versions - _atStart, RateUntil(now), slotsInChange);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>When this returns, nothing here looks at the table any more: its memory goes next.</summary>
    public void Dispose()
    {
        _turn.Wait();
        _turn.Dispose();
    }

    private (Sample Sample, int SlotsInChange) Take(Span<ulong> heat)
    {
        VersionTableSurvey survey = _table.Survey(heat);
        return (new Sample(Stopwatch.GetTimestamp(), survey.Versions), survey.SlotsInChange);
    }

    /// <summary>Since the last look that is long enough ago, which this one replaces.</summary>
    private double RateUntil(Sample now)
    {
        if (Stopwatch.GetElapsedTime(_later.Time, now.Time) >= ShortestTime)
        {
            _earlier = _later;
            _later = now;
        }

        TimeSpan time = Stopwatch.GetElapsedTime(_earlier.Time, now.Time);
        return time > TimeSpan.Zero ? (now.Versions - _earlier.Versions) / time.TotalSeconds : 0;
    }
}
