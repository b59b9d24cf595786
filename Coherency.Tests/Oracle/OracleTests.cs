using System.Diagnostics;
using System.Globalization;
using Coherency.Guest.VirtualMachines;
using Coherency.Host.Server;
using Xunit.Abstractions;

namespace Coherency.Tests.Oracle;

/// <summary>
/// To programs that act one after the other, a share in several guests is one local file system. As many calls as
/// COHERENCY_ORACLE_CALLS says for each kernel, from the seed of COHERENCY_ORACLE_SEED, on the file system of
/// COHERENCY_ORACLE_FILESYSTEM (ext4, xfs, tmpfs).
/// </summary>
[Trait("Category", "Vm")]
public sealed class OracleTests(ITestOutputHelper output)
{
    private const int CallsUnlessTold = 20_000;
    private const int CallsOfSchedule = 400;
    private const int ShrinkingRunsMax = 300;

    private static int Calls => FromEnvironment("COHERENCY_ORACLE_CALLS") ?? CallsUnlessTold;

    private static int Seed => FromEnvironment("COHERENCY_ORACLE_SEED") ?? 1;

    /// <summary>More than one to see all at once what is wrong.</summary>
    private static int DifferencesMax => FromEnvironment("COHERENCY_ORACLE_DIFFERENCES") ?? 1;

    private static string[] FileSystems =>
        Environment.GetEnvironmentVariable("COHERENCY_ORACLE_FILESYSTEM") is { Length: > 0 } told ? [told]
        : Soak.IsOn ? ["ext4", "xfs", "tmpfs"]
        : ["ext4"];

    /// <summary>Kernels of Debian's releases, and what the share lies on.</summary>
    public static IEnumerable<object[]> Places =>
        from fileSystem in FileSystems
        from kernel in (string[])["stable", "trixie", "sid"]
        select new object[] { kernel, fileSystem };

    [Theory]
    [MemberData(nameof(Places))]
    public async Task A_share_is_one_local_file_system(string kernel, string fileSystem)
    {
        await using OracleBed bed = await OracleBed.StartAsync(SettingsOf(kernel, fileSystem));
        List<Difference> kinds = [];
        Dictionary<string, string> found = [];
        Stopwatch watch = Stopwatch.StartNew();
        int seed = Seed;
        for (; bed.CallsMade < Calls && found.Count < DifferencesMax; seed++)
        {
            Schedule schedule = await bed.PlanAsync(seed, CallsOfSchedule);
            if (await bed.RunAsync(schedule) is { } difference && !kinds.Any(difference.IsLike))
            {
                kinds.Add(difference);
                (string script, Difference shrunk) = await ShrinkAsync(bed, schedule, difference);
                if (found.TryAdd(script, $"seed {seed}, {script}first seen as {difference}"))
                {
                    kinds.Add(shrunk);
                    output.WriteLine(found[script]);
                }
            }
        }

        output.WriteLine($"{kernel}, {fileSystem}: {bed.CallsMade} calls, seeds {Seed} to {seed - 1}, {watch.Elapsed.TotalSeconds:F0} s");
        foreach ((string reason, int count) in bed.DifferencesByDesign)
        {
            output.WriteLine($"  {count} times by design: {reason}");
        }

        Assert.True(found.Count == 0, string.Join('\n', found.Values));
    }

    /// <summary>An oracle that cannot say no is none.</summary>
    [Fact]
    public Task Guests_that_believe_timeouts_are_found_out() => ExpectDifferenceAsync(SettingsOf("stable", "ext4") with
    {
        Cache = CacheMode.Auto,
        Clients = [Client.First, Client.Second],
    });

    /// <summary>
    /// With one rule of the module left out. For those that matter in races, or where fuse learns of another time of change, see
    /// <see cref="Vm.LeftOutRuleTests"/>.
    /// </summary>
    [Theory]
    [InlineData(ModuleRule.Names)]
    [InlineData(ModuleRule.Attributes)]
    public Task A_module_that_leaves_a_rule_out_is_found_out(ModuleRule rule) => ExpectDifferenceAsync(SettingsOf("stable", "ext4") with
    {
        RulesOff = 1u << (int)rule,
        Clients = [Client.First, Client.Second],
    });

    /// <summary>The same calls make no difference when all rules are followed: so it is the one left out that is found.</summary>
    private async Task ExpectDifferenceAsync(OracleSettings settings)
    {
        Schedule schedule = await FindDifferenceAsync(settings);
        await using OracleBed bed = await OracleBed.StartAsync(settings with { Cache = CacheMode.Coherent, RulesOff = 0 });
        Assert.Null(await bed.RunAsync(schedule));
    }

    private async Task<Schedule> FindDifferenceAsync(OracleSettings settings)
    {
        await using OracleBed bed = await OracleBed.StartAsync(settings);
        for (int seed = Seed; bed.CallsMade < Calls; seed++)
        {
            Schedule schedule = await bed.PlanAsync(seed, CallsOfSchedule);
            if (await bed.RunAsync(schedule) is { } difference)
            {
                output.WriteLine($"after {bed.CallsMade} calls: {difference}");
                return schedule;
            }
        }

        throw new InvalidOperationException($"no difference in {bed.CallsMade} calls");
    }

    private static OracleSettings SettingsOf(string kernel, string fileSystem) => kernel switch
    {
        "stable" => new OracleSettings(VirtualMachineImage.Stable, FileSystemDevice.VhostUserFs, fileSystem),
        "trixie" => new OracleSettings(VirtualMachineImage.Trixie, FileSystemDevice.VhostUserFs, fileSystem),
        _ => new OracleSettings(VirtualMachineImage.Sid, FileSystemDevice.GenericVhostUser, fileSystem),
    };

    private static async Task<(string Script, Difference Difference)> ShrinkAsync(OracleBed bed, Schedule schedule, Difference difference)
    {
        (Schedule shortest, Difference still) = await new Shrinker(bed.RunAsync, ShrinkingRunsMax).ShrinkAsync(schedule, difference);
        return ($"{shortest.Calls.Count} calls:\n{shortest}{still}", still);
    }

    private static int? FromEnvironment(string name) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), CultureInfo.InvariantCulture, out int value) ? value : null;
}
