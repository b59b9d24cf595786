using Coherency.Fuzz;
using Xunit.Abstractions;

namespace Coherency.Tests.Hostile;

/// <summary>
/// Bytes that nobody here has thought of, where the daemon reads what others control: an answer or a refusal, never a fault.
/// </summary>
public sealed class FuzzTests(ITestOutputHelper output)
{
    private static readonly int Seconds = Soak.Count(20, 600);

    public static TheoryData<string> Targets => [.. FuzzTarget.All.Keys];

    [Theory]
    [MemberData(nameof(Targets))]
    public void What_is_in_the_corpus_is_answered_or_refused(string name)
    {
        string[] inputs = Directory.GetFiles(Path.Combine(Repository.Root, "Coherency.Fuzz", "Corpus", name));
        Assert.NotEmpty(inputs);
        using FuzzTarget target = FuzzTarget.All[name]();
        foreach (string input in inputs)
        {
            target.Take(File.ReadAllBytes(input));
        }
    }

    [Theory]
    [Trait("Category", "Slow")]
    [MemberData(nameof(Targets))]
    public void Fuzzing_for_a_while_finds_nothing(string target)
    {
        ChildResult result = ChildProcess.Run(Path.Combine(Repository.Root, "eng", "fuzz"), [$"{Seconds}", target]);
        output.WriteLine(result.Output);
        Assert.True(result.ExitCode == 0, result.Output + result.Errors);
        Assert.Contains("0 crashes, 0 hangs", result.Output, StringComparison.Ordinal);
    }
}
