using Coherency.Admin.V1;

namespace Coherency.Tests.Admin;

/// <summary>Of what the build leaves.</summary>
public sealed class PythonClientTests(AdminDaemon daemon) : PythonClientScenarios(daemon), IClassFixture<AdminDaemon>;

/// <summary>The administration as Debian's gRPC for Python sees it.</summary>
public abstract class PythonClientScenarios(AdminDaemon daemon)
{
    [Fact]
    public void Lists() => Assert.Equal(["a 1", "b 1", $"{daemon.Share} ['a', 'b']"], Ask("lists"));

    [Theory]
    [InlineData("GetTable guest=nobody", "NOT_FOUND there is no guest nobody, but a, b")]
    [InlineData("GetTable", "INVALID_ARGUMENT say which guest: a, b")]
    [InlineData("GetTable guest=a heat_buckets=5000", "INVALID_ARGUMENT 5000 heat buckets: 0 to 4096 are possible")]
    [InlineData("ListGuests share=/nowhere", "NOT_FOUND there is no share /nowhere")]
    [InlineData("InvalidatePath path=file", "OK slots_moved: 3")]
    [InlineData("InvalidatePath path=absent", "OK slots_moved: 2")]
    [InlineData("InvalidatePath", "OK slots_moved: 1")]
    [InlineData("InvalidatePath path=absent/file", "NOT_FOUND")]
    [InlineData("InvalidatePath path=file/file", "NOT_FOUND")]
    [InlineData("InvalidatePath path=../file", "INVALID_ARGUMENT")]
    [InlineData("InvalidateAll", "OK guests: 2")]
    [InlineData("InvalidateAll guest=a", "OK guests: 1")]
    [InlineData("InvalidateAll guest=nobody", "NOT_FOUND")]
    [InlineData("SetLogLevel level=loud", "INVALID_ARGUMENT 'loud' is no level: trace, debug")]
    [InlineData("SetLogLevel level=debug category=coherencyd.x", "OK previous_level: \"information\"")]
    [InlineData("DisconnectGuest guest=a", "OK")]
    [InlineData("DisconnectGuest guest=nobody", "NOT_FOUND")]
    [InlineData("DrainGuest guest=nobody", "NOT_FOUND")]
    [InlineData("DrainGuest", "INVALID_ARGUMENT")]
    public void A_request_gets_its_answer(string request, string answer) =>
        Assert.StartsWith(answer, Assert.Single(Ask(["method", .. request.Split(' ')])), StringComparison.Ordinal);

    [Fact]
    public void A_symbolic_link_is_not_followed_out_of_the_share()
    {
        File.CreateSymbolicLink(Path.Combine(daemon.Share, "out"), "/etc");
        Assert.StartsWith("NOT_FOUND", Assert.Single(Ask("method", "InvalidatePath", "path=out/passwd")), StringComparison.Ordinal);
        Assert.Equal("OK slots_moved: 3", Assert.Single(Ask("method", "InvalidatePath", "path=out")).Trim());
    }

    [Fact]
    public void Compressed_both_ways() => Assert.Equal(["1024 OK"], Ask("compressed"));

    [Fact]
    public void Large_messages() => Assert.Equal(["NOT_FOUND True", "RESOURCE_EXHAUSTED True"], Ask("large"));

    [Fact]
    public void Unknown_methods() => Assert.All(Ask("unknown"), line => Assert.StartsWith("UNIMPLEMENTED", line, StringComparison.Ordinal));

    [Fact]
    public void A_message_that_is_none() => Assert.StartsWith("UNKNOWN", Assert.Single(Ask("bad")), StringComparison.Ordinal);

    [Fact]
    public void Health() => Assert.Equal(
        ["1", "1", "1", "NOT_FOUND"],
        Ask("health", "", "coherency.guest.b", $"coherency.share.{daemon.Share}", "coherency.guest.nobody").Select(
            line => line[..Math.Min(9, line.Length)]));

    [Fact]
    public void Health_as_it_changes() => Assert.Equal(["1", "2", "1", "3"], Ask("health_watch"));

    [Fact]
    public void A_deadline_ends_a_stream() => Assert.Equal(["1", "DEADLINE_EXCEEDED"], Ask("deadline"));

    [Fact]
    public void Cancelled_streams_are_gone() => Assert.Equal("CANCELLED", Ask("cancel")[0]);

    [Theory]
    [InlineData("grpc.reflection.v1.ServerReflection")]
    [InlineData("grpc.reflection.v1alpha.ServerReflection")]
    public void Reflection(string service) => Assert.Equal(
        ["['coherency.admin.v1.Admin', 'grpc.health.v1.Health', 'grpc.reflection.v1.ServerReflection', " +
            "'grpc.reflection.v1alpha.ServerReflection']", $"{Methods} 8", "5"],
        Ask("reflection", service));

    [Fact]
    public void A_thousand_clients_at_once() => Assert.Equal(["{'OK': 1000}"], Ask("crowd", "1000"));

    private static int Methods => AdminReflection.Descriptor.Services.Single().Methods.Count;

    private string[] Ask(params string[] scenario) => ForeignClient.Python(daemon.Target, scenario);
}
