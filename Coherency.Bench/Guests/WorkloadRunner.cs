using Coherency.Bench.Measurement;

namespace Coherency.Bench.Guests;

/// <summary>Runs programs in the guests of contenders that are set up, and measures them.</summary>
/// <param name="found">Gets each sample, and in place of one the reason why there is none.</param>
internal sealed class WorkloadRunner(TestTree tree, Action<Observation> found)
{
    private const double NanosecondsPerMicrosecond = 1000;

    /// <summary>Runs a program with nothing cached, then again with what it left; one that changes nothing has run twice by then.</summary>
    /// <param name="guests">Two: another guest works elsewhere in the tree meanwhile.</param>
    public async Task RunAsync(GuestBed bed, GuestWorkload workload, int guests)
    {
        await PrepareAsync(bed, workload);
        await bed.First.RemountAsync();
        await using Neighbour? neighbour = guests > 1 ? await Neighbour.StartAsync(await bed.BootSecondAsync()) : null;
        await MeasureAsync(bed, workload, guests, CacheState.Cold);
        // A second time, since the first look after something was read asks for its new access time.
        if (workload.IsRepeatable)
            await bed.First.TimeAsync(workload.Run(tree));
        else
            await PrepareAsync(bed, workload);
        await MeasureAsync(bed, workload, guests, CacheState.Warm);
    }

    /// <summary>Says why a program has no figures.</summary>
    public void Explain(GuestBed bed, GuestWorkload workload, int guests, string reason)
    {
        foreach (CacheState state in new[] { CacheState.Cold, CacheState.Warm })
            found(Observe(bed, workload, guests, state, Quantity.Duration, [], reason));
    }

    private static Task PrepareAsync(GuestBed bed, GuestWorkload workload) =>
        workload.Prepare.Length > 0 ? bed.First.ExpectAsync(workload.Prepare) : Task.CompletedTask;

    private async Task MeasureAsync(GuestBed bed, GuestWorkload workload, int guests, CacheState state)
    {
        IReadOnlyList<int> server = bed.ServerProcesses;
        int[] guest = [bed.First.ProcessId];
        RequestCounts countBefore = await bed.First.Counter.ReadAsync();
        long serverBefore = ProcessUsage.ReadCpu(server);
        long guestBefore = ProcessUsage.ReadCpu(guest);

        (double seconds, int exitCode) = await bed.First.TimeAsync(workload.Run(tree));

        long guestCpu = ProcessUsage.ReadCpu(guest) - guestBefore;
        RequestCounts count = await bed.First.Counter.ReadAsync() - countBefore;
        long serverCpu = ProcessUsage.ReadCpu(server) - serverBefore;
        string? remark = await CheckAsync(bed, workload, exitCode);

        Add(Quantity.Duration, seconds, remark);
        Add(Quantity.Requests, count.Requests, count.Forgets > 0 ? $"{count.Forgets} forgets beside them" : null);
        if (server.Count > 0)
            Add(Quantity.Memory, ProcessUsage.Read(server).AnonymousBytes);
        // Of two guests' requests a server's time cannot be told apart.
        if (guests == 1 && count.Requests > 0)
        {
            Add(
                Quantity.GuestCpu,
                guestCpu / NanosecondsPerMicrosecond / count.Requests,
                server.Count == 0 ? "QEMU serves it: its time is in it" : null);
            if (server.Count > 0)
                Add(Quantity.DaemonCpu, serverCpu / NanosecondsPerMicrosecond / count.Requests);
        }

        void Add(Quantity quantity, double sample, string? note = null) =>
            found(Observe(bed, workload, guests, state, quantity, [sample], note));
    }

    private Observation Observe(
        GuestBed bed, GuestWorkload workload, int guests, CacheState state, Quantity quantity, double[] samples, string? remark) => new(
        BenchLevel.Guests,
        workload.Name,
        workload.Title(tree),
        new Conditions(Guests: guests, State: state, Size: tree.Files),
        bed.Name,
        quantity,
        samples,
        remark);

    /// <summary>Null when the program did what it should have done; a stale cache can make it fail.</summary>
    private async Task<string?> CheckAsync(GuestBed bed, GuestWorkload workload, int exitCode)
    {
        if (exitCode != 0)
            return $"{Observation.Wrong}exit code {exitCode}: {FirstLine((await bed.First.RunAsync("tail -n 1 /run/output")).Text)}";
        string result = (await bed.First.RunAsync(workload.Verify)).Text.Trim();
        string expected = workload.Expected(tree);
        return result == expected ? null : $"{Observation.Wrong}'{FirstLine(result)}' instead of '{expected}'";
    }

    private static string FirstLine(string text) => text.Split('\n')[0];
}
