namespace Coherency.Tests.Admin;

/// <summary>The administration as npm's gRPC for JavaScript sees it.</summary>
[Trait("Category", "Network")]
public sealed class NodeClientTests(AdminDaemon daemon) : IClassFixture<AdminDaemon>
{
    [Fact]
    public void Lists() => Assert.Equal(["a GUEST_STATE_LISTENING", "b GUEST_STATE_LISTENING"], Ask("lists"));

    [Fact]
    public void Refusals() => Assert.Equal(
        [
            "NOT_FOUND there is no guest nobody, but a, b",
            "INVALID_ARGUMENT 5000 heat buckets: 0 to 4096 are possible",
            "NOT_FOUND there is no guest ß%, but a, b",
        ],
        Ask("refusals"));

    [Fact]
    public void Large_messages()
    {
        string[] lines = Ask("large");
        Assert.Equal("1024", lines[0]);
        Assert.StartsWith("RESOURCE_EXHAUSTED", lines[1], StringComparison.Ordinal);
    }

    [Fact]
    public void An_unknown_method() => Assert.Equal(["UNIMPLEMENTED"], Ask("unknown"));

    [Fact]
    public void A_message_that_is_none() => Assert.Equal(["UNKNOWN"], Ask("bad"));

    [Fact]
    public void Health()
    {
        string[] lines = Ask("health");
        Assert.Equal(["SERVING", "SERVING"], lines[..2]);
        Assert.StartsWith("NOT_FOUND", lines[2], StringComparison.Ordinal);
    }

    [Fact]
    public void A_deadline_ends_a_stream() => Assert.Equal(["SERVING", "DEADLINE_EXCEEDED"], Ask("deadline"));

    [Fact]
    public void A_stream_is_cancelled() => Assert.Equal(["SERVING", "CANCELLED"], Ask("cancel"));

    [Fact]
    public void Reflection() => Assert.Equal(
        ["coherency.admin.v1.Admin grpc.health.v1.Health grpc.reflection.v1.ServerReflection grpc.reflection.v1alpha.ServerReflection",
            "OK"],
        Ask("reflection"));

    private string[] Ask(string scenario) => ForeignClient.Node(daemon.Target, scenario);
}
