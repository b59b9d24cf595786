namespace Coherency.Tests.Versioning;

/// <summary>The protocol itself, searched exhaustively as models: eng/model/*.pml say what they cover.</summary>
[Trait("Category", "Slow")]
public sealed class ProtocolModelTests
{
    [Fact]
    public void No_answer_is_stale_and_every_rule_is_needed()
    {
        ChildResult check = ChildProcess.Run(Path.Combine(Repository.Root, "eng", "model", "check"), []);
        Assert.True(check.ExitCode == 0, check.Output + check.Errors);
        string[] verdicts = [.. check.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(' ')[^1])];
        Assert.Equal(6, verdicts.Count(verdict => verdict == "right"));
        Assert.Equal(12, verdicts.Count(verdict => verdict == "wrong"));
    }
}
