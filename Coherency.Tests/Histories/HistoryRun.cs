using System.Diagnostics;
using Coherency.Guest;
using Coherency.Host.Server;
using Coherency.Tests.Linearizability;

namespace Coherency.Tests.Histories;

internal sealed record HistorySettings
{
    public required int Seed { get; init; }

    /// <summary>Of all threads together; rounded up, so that each does as many.</summary>
    public required int Operations { get; init; }

    public int Guests { get; init; } = 3;

    public int ThreadsPerGuest { get; init; } = 3;

    public int Users => Guests * ThreadsPerGuest;

    public int OperationsPerUser => (Operations + Users - 1) / Users;

    public CacheMode Cache { get; init; } = CacheMode.Coherent;

    /// <summary>Makes a guest's client; it takes over the guest. The second argument is where the guest's table is, if any.</summary>
    public required Func<VirtioFsGuest, string, ITreeClient> Connect { get; init; }
}

/// <summary>What guests in user space did that fight over a few names, and what the checker says about it.</summary>
/// <param name="Working">What the operations took.</param>
internal sealed record HistoryRun(
    HistorySettings Settings, History History, TimeSpan Working, IReadOnlyList<Violation> Violations, TimeSpan Checking)
{
    public static HistoryRun Execute(HistorySettings settings)
    {
        using HistoryBed bed = new(settings);
        bed.ConnectGuests();
        Stopwatch watch = Stopwatch.StartNew();
        History history = bed.Work();
        TimeSpan working = watch.Elapsed;
        watch.Restart();
        return new HistoryRun(settings, history, working, history.FindViolations(), watch.Elapsed);
    }

    private int Operations => Settings.OperationsPerUser * Settings.Users;

    public override string ToString() =>
        $"seed {Settings.Seed}: {Operations} operations of {Settings.Guests} guests with {Settings.ThreadsPerGuest} threads each in "
        + $"{Working.TotalSeconds:f1} s ({Operations / Working.TotalSeconds:f0}/s), {History.Objects} objects checked in "
        + $"{Checking.TotalSeconds:f1} s: {Violations.Count} violations";
}
