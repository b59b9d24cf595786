namespace Coherency.Tests.Versioning;

/// <summary>The protocol itself, searched exhaustively as a model: eng/model/version-table.pml says what that covers.</summary>
public sealed class ProtocolModelTests
{
    [Fact]
    public void No_answer_is_stale_and_every_rule_is_needed()
    {
        ChildResult check = ChildProcess.Run(Path.Combine(Repository.Root, "eng", "model", "check"), []);
        Assert.True(check.ExitCode == 0, check.Output + check.Errors);
        string[] verdicts = [.. check.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(' ')[^1])];
        Assert.Equal(["right", "right", "wrong", "wrong", "wrong", "wrong", "wrong"], verdicts);
    }
}
