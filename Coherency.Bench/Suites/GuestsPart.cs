using Coherency.Bench.Guests;

namespace Coherency.Bench.Suites;

/// <summary>
/// Level 3: programs in virtual machines. All contenders are up at the same time and take turns. A contender that fails at a
/// program has a remark instead of a figure and goes on with the next one, in a new guest if need be.
/// </summary>
internal sealed class GuestsPart(GuestsPlan plan, string? coherencydPath) : ISuitePart
{
    /// <summary>Replaced as a whole: an interrupt looks at it at any time.</summary>
    private volatile IReadOnlyList<GuestBed> _beds = [];

    /// <summary>Why a contender's guest could not be started again.</summary>
    private readonly Dictionary<GuestBed, string> _lost = [];

    public int Steps => plan.Contenders.Count * (1 + Turns + (plan.Looks > 0 ? 1 : 0));

    private int Turns => plan.Rounds * plan.Workloads.Sum(workload => workload.IsMeasuredBesideOthers ? 2 : 1);

    /// <exception cref="IOException">What the guests need is not there; the message says what to do.</exception>
    public void Run(SuiteRun run)
    {
        // A program in a guest does not see the interrupt; without its guest nobody waits for it.
        using CancellationTokenRegistration _ = run.Interrupted.Register(KillGuests);
        RunAsync(run).GetAwaiter().GetResult();
    }

    private async Task RunAsync(SuiteRun run)
    {
        try
        {
            // Before any work: it says what to run when the guest is not there.
            _ = VirtualMachineImage.Bench;
            TestTree tree = TestTree.Create(Path.Combine(run.WorkDirectory, "template"), plan.Files);
            foreach (string name in plan.Contenders)
                await SetUpAsync(run, name, tree);
            WorkloadRunner runner = new(tree, run.Add);
            for (int round = 0; round < plan.Rounds; round++)
                await RunRoundAsync(run, runner);
            await LookForStaleAnswersAsync(run);
        }
        finally
        {
            // All of them, even if one cannot be stopped in order.
            await Task.WhenAll(_beds.Select(bed => bed.DisposeAsync().AsTask()));
        }
    }

    private async Task SetUpAsync(SuiteRun run, string name, TestTree tree)
    {
        run.BeginStep($"booting a guest of {name}");
        GuestBed? bed = null;
        string? failure = await FailureOfAsync(async () =>
        {
            bed = GuestContenders.Make(name, Path.Combine(run.WorkDirectory, name.Replace(' ', '-')), coherencydPath);
            await bed.SetUpAsync(tree);
        });
        if (failure is null)
            _beds = [.. _beds, bed!];
        else if (bed is not null)
            await bed.DisposeAsync();
        run.Add(
            failure is null ? new ContenderDescription(name, bed!.Version, bed.Commands) : new ContenderDescription(
                name, $"missing: {failure}", []));
    }

    private async Task RunRoundAsync(SuiteRun run, WorkloadRunner runner)
    {
        foreach (GuestWorkload workload in plan.Workloads)
        {
            for (int guests = 1; guests <= (workload.IsMeasuredBesideOthers ? 2 : 1); guests++)
            {
                foreach (GuestBed bed in _beds.Where(bed => guests == 1 || bed.IsShared))
                {
                    run.BeginStep($"{workload.Name}{(guests > 1 ? " beside another guest" : "")}, {bed.Name}");
                    await RunAsync(run, runner, bed, workload, guests);
                }
            }
        }
    }

    private async Task RunAsync(SuiteRun run, WorkloadRunner runner, GuestBed bed, GuestWorkload workload, int guests)
    {
        string? failure = _lost.TryGetValue(bed, out string? lost) ? lost : await FailureOfAsync(
            () => runner.RunAsync(bed, workload, guests));
        run.Interrupted.ThrowIfCancellationRequested();
        if (failure is not null)
            runner.Explain(bed, workload, guests, failure);
        if (failure is not null && lost is null && await FailureOfAsync(bed.StartStoppedGuestsAsync) is { } reason)
            _lost[bed] = $"its guest could not be started again: {reason}";
    }

    private async Task LookForStaleAnswersAsync(SuiteRun run)
    {
        StalenessProbe probe = new(plan.Looks);
        foreach (GuestBed bed in plan.Looks > 0 ? _beds : [])
        {
            run.BeginStep($"stale answers, {bed.Name}");
            string? failure = await FailureOfAsync(async () =>
            {
                foreach (StalenessResult result in await probe.TryAsync(bed))
                    run.Add(result);
            });
            run.Interrupted.ThrowIfCancellationRequested();
            if (failure is not null)
                run.AddFailure($"stale answers of {bed.Name}: {failure}");
        }
    }

    private void KillGuests()
    {
        foreach (GuestBed bed in _beds)
            bed.Kill();
    }

    /// <summary>Why something failed: what was run and how it ended; a guest's console, which follows, is too long for a table.</summary>
    /// <returns>Null when it did not fail.</returns>
    private static async Task<string?> FailureOfAsync(Func<Task> work)
    {
        try
        {
            await work();
            return null;
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            return string.Join(' ', e.Message.Split('\n').TakeWhile(line => !line.StartsWith("---", StringComparison.Ordinal)).Take(3));
        }
    }
}
