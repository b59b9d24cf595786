using System.Globalization;
using System.IO.MemoryMappedFiles;
using Coherency.Core.Versioning;
using Xunit;
using Xunit.Abstractions;

namespace Coherency.Tests.Versioning;

/// <summary>
/// The real table between two processes at full speed: the daemon's writer here, a reader in C there (litmus.c). Each of two
/// rules, broken, must be caught: or the race is none, and the test could not fail.
/// </summary>
[Collection(TimedTests.Name)]
public sealed class LitmusTests : IDisposable
{
    private const int RaceMs = 3000;

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private readonly DirectoryInfo _work = Directory.CreateTempSubdirectory("coherency-litmus-");
    private readonly ITestOutputHelper _output;

    public LitmusTests(ITestOutputHelper output)
    {
        _output = output;
        ChildResult gcc = ChildProcess.Run(
            "gcc",
            [
                "-std=gnu17", "-O2", "-Wall", "-Wextra", "-Werror", "-o", Reader,
                Path.Combine(Repository.Root, "Coherency.Tests", "Versioning", "litmus.c"),
            ]);
        Assert.True(gcc.ExitCode == 0, gcc.Errors);
    }

    private string Reader => Path.Combine(_work.FullName, "litmus");

    public void Dispose() => _work.Delete(recursive: true);

    [Fact]
    public void No_answer_is_older_than_what_was_acknowledged()
    {
        Outcome outcome = Race(acknowledgeEarly: false);
        Assert.True(outcome is { Hits: > 1000, Misses: > 1000 }, $"no race: {outcome}");
        Assert.Equal(0, outcome.Stale);
    }

    [Fact]
    public void A_reader_that_samples_after_the_answer_is_caught() => ExpectCaught(() => Race(acknowledgeEarly: false, "sample-late"));

    [Fact]
    public void A_writer_that_moves_the_slot_after_the_reply_is_caught() => ExpectCaught(() => Race(acknowledgeEarly: true));

    /// <summary>On a machine that is busy with other things the two may hardly ever run at the same time.</summary>
    private static void ExpectCaught(Func<Outcome> race) =>
        Assert.Contains(Enumerable.Range(0, 5).Select(_ => race()), outcome => outcome.Stale > 0);

    private sealed record Outcome(long Changes, long Hits, long Misses, long Stale);

    private unsafe Outcome Race(bool acknowledgeEarly, params string[] readerOptions)
    {
        string pagePath = Path.Combine(_work.FullName, "page");
        string tablePath = Path.Combine(_work.FullName, "table");
        using MemoryMappedFile page = MemoryMappedFile.CreateFromFile(pagePath, FileMode.Create, null, 4096);
        using MemoryMappedViewAccessor view = page.CreateViewAccessor();
        using VersionTableWriter table = VersionTableWriter.Open(tablePath, new VersionTableDescription("litmus", 1, 1024, 1000));
        using CompanionProcess reader = CompanionProcess.Start(
            Reader, [tablePath, pagePath, RaceMs.ToString(CultureInfo.InvariantCulture), .. readerOptions]);

        byte* start = null;
        view.SafeMemoryMappedViewHandle.AcquirePointer(ref start);
        long changes = 0;
        while (!reader.HasExited)
        {
            for (int i = 0; i < 1000; i++)
            {
                Change(table, (ulong*)start, (ulong)++changes, acknowledgeEarly);
                // Now and then nothing changes, so that there is something to believe.
                Thread.SpinWait(i % 200);
            }
        }

        view.SafeMemoryMappedViewHandle.ReleasePointer();
        Assert.Equal(0, reader.WaitForExit(Patience));
        long[] counts = [.. reader.Output.Split(' ').Select(number => long.Parse(number, CultureInfo.InvariantCulture))];
        Outcome outcome = new(changes, counts[0], counts[1], counts[2]);
        _output.WriteLine($"{outcome}");
        return outcome;
    }

    /// <summary>What the daemon does: begin, system call, end, reply. The system call is a store.</summary>
    private static unsafe void Change(VersionTableWriter table, ulong* page, ulong value, bool acknowledgeEarly)
    {
        ReadOnlySpan<SlotKey> slots = [new SlotKey(5)];
        if (acknowledgeEarly)
        {
            Volatile.Write(ref page[0], value);
            Volatile.Write(ref page[1], value);
            table.Begin(slots);
            table.End(slots);
            return;
        }

        table.Begin(slots);
        Volatile.Write(ref page[0], value);
        table.End(slots);
        Volatile.Write(ref page[1], value);
    }
}
