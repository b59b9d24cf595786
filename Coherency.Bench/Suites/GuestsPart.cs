using Coherency.Bench.Guests;
using Coherency.Bench.Results;
using Coherency.Guest.VirtualMachines;

namespace Coherency.Bench.Suites;

/// <summary>Level 3: programs in virtual machines. All contenders are up at the same time and take turns.</summary>
internal sealed class GuestsPart(GuestsPlan plan, string? coherencydPath) : ISuitePart
{
    private readonly List<GuestBed> _beds = [];
    private readonly Findings _findings = new();

    public int Steps => plan.Contenders.Count * (1 + Turns + (plan.Looks > 0 ? 1 : 0));

    private int Turns => plan.Rounds * plan.Workloads.Sum(workload => workload.IsMeasuredBesideOthers ? 2 : 1);

    /// <exception cref="IOException">What the guests need is not there, or one of them ended; the message says what to do.</exception>
    public void Run(SuiteRun run)
    {
        try
        {
            RunAsync(run).GetAwaiter().GetResult();
        }
        catch (VirtualMachineException e)
        {
            throw new IOException(e.Message, e);
        }
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
            WorkloadRunner runner = new(tree, _findings);
            for (int round = 0; round < plan.Rounds; round++)
                await RunRoundAsync(run, runner);
            await LookForStaleAnswersAsync(run);
        }
        finally
        {
            foreach (Observation observation in _findings.Observations)
                run.Add(observation);
            // All of them, even if one cannot be stopped in order.
            await Task.WhenAll(_beds.Select(bed => bed.DisposeAsync().AsTask()));
        }
    }

    private async Task SetUpAsync(SuiteRun run, string name, TestTree tree)
    {
        run.BeginStep($"booting a guest of {name}");
        try
        {
            GuestBed bed = GuestContenders.Make(name, Path.Combine(run.WorkDirectory, name.Replace(' ', '-')), coherencydPath);
            _beds.Add(bed);
            await bed.SetUpAsync(tree);
            run.Add(new ContenderDescription(name, bed.Version, bed.Commands));
        }
        catch (Exception e) when (e is IOException or VirtualMachineException or OperationCanceledException)
        {
            run.Add(new ContenderDescription(name, $"missing: {e.Message}", []));
            await DropAsync(name);
        }
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
                    await runner.RunAsync(bed, workload, guests);
                }
            }
        }
    }

    private async Task LookForStaleAnswersAsync(SuiteRun run)
    {
        StalenessProbe probe = new(plan.Looks);
        foreach (GuestBed bed in plan.Looks > 0 ? _beds : [])
        {
            run.BeginStep($"stale answers, {bed.Name}");
            foreach (StalenessResult result in await probe.TryAsync(bed))
                run.Add(result);
        }
    }

    private async Task DropAsync(string name)
    {
        GuestBed? bed = _beds.Find(bed => bed.Name == name);
        if (bed is not null)
        {
            _beds.Remove(bed);
            await bed.DisposeAsync();
        }
    }
}
