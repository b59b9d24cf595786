using System.Net;
using Coherency.Admin.V1;
using Google.Protobuf;

namespace Coherency.Tests.Admin;

/// <summary>
/// What hostile clients of the administration get, with requests byte by byte (gRPC, PROTOCOL-HTTP2.md), and what proper ones rely on.
/// </summary>
public sealed class GrpcLayerTests : IAsyncLifetime, IDisposable
{
    private const string Unary = "/coherency.admin.v1.Admin/ListGuests";

    private GrpcTestServer _server = null!;
    private RawCall _raw = null!;

    public async Task InitializeAsync()
    {
        _server = await GrpcTestServer.StartAsync();
        _raw = new RawCall(_server.Socket);
    }

    public async Task DisposeAsync() => await _server.DisposeAsync();

    public void Dispose() => _raw.Dispose();

    [Fact]
    public async Task A_call_has_one_message_and_its_status_in_trailers()
    {
        RawCall.Answer answer = await _raw.SendAsync(Unary, RawCall.Frame(new ListGuestsRequest { Share = "s" }.ToByteArray()));
        Assert.Equal("0", answer.Status);
        Assert.True(answer.Response.TrailingHeaders.Contains("grpc-status"));
        Assert.Equal("application/grpc", answer.Response.Content.Headers.ContentType!.MediaType);
        Assert.Equal("s", ListGuestsResponse.Parser.ParseFrom(answer.Body[5..]).Guests.Single().Share);
        Assert.Equal("AAH/", answer.Response.TrailingHeaders.GetValues("seen-bin").Single());
    }

    [Fact]
    public async Task Headers_arrive_with_bytes_decoded()
    {
        await _raw.SendAsync(Unary, RawCall.Frame([]), headers: [("x-who", "me"), ("x-data-bin", "AAH_AA".Replace('_', '/'))]);
        Assert.Equal("me", _server.Service.LastHeaders!.GetValue("x-who"));
        Assert.Equal([0, 1, 255, 0], _server.Service.LastHeaders.Single(entry => entry.Key == "x-data-bin").ValueBytes);
        Assert.DoesNotContain(_server.Service.LastHeaders, entry => entry.Key is "content-type" or "te" or ":path");
    }

    /// <summary>Found by name: a runner writes what a test is given into its lists, and one of these has four megabytes.</summary>
    private static readonly Dictionary<string, (byte[] Body, string Status)> Breaches = new()
    {
        ["no message"] = ([], "13"),
        ["two messages"] = ([.. RawCall.Frame([]), .. RawCall.Frame([])], "13"),
        ["half a header"] = ([0, 0, 0], "13"),
        ["half a message"] = (RawCall.Frame([10, 5, 1, 2, 3, 4, 5])[..8], "13"),
        ["no protobuf"] = (RawCall.Frame([0xFF, 0xFF, 0xFF]), "2"),
        ["compressed, nobody says how"] = (RawCall.Frame(RawCall.Compress([]), flag: 1), "13"),
        ["a flag that there is not"] = (RawCall.Frame([], flag: 7), "2"),
        ["longer than is received"] = (RawCall.Frame(new byte[(4 << 20) + 1]), "8"),
        ["a length beyond all"] = ([0, 0xFF, 0xFF, 0xFF, 0xFF], "2"),
    };

    public static TheoryData<string> BreachNames => [.. Breaches.Keys];

    [Theory]
    [MemberData(nameof(BreachNames))]
    public async Task A_request_that_breaks_the_rules_gets_the_status_for_it(string breach)
    {
        RawCall.Answer answer = await _raw.SendAsync(Unary, Breaches[breach].Body);
        Assert.Equal(Breaches[breach].Status, answer.Status);
        Assert.NotEmpty(answer.Message!);
        Assert.Empty(answer.Body);
    }

    [Theory]
    [InlineData("application/json")]
    [InlineData("application/grpc-web")]
    [InlineData("")]
    public async Task Another_content_type_is_refused_as_web_servers_do(string contentType) =>
        Assert.Equal(HttpStatusCode.UnsupportedMediaType, (await _raw.SendAsync(Unary, RawCall.Frame([]), contentType)).HttpStatus);

    [Fact]
    public async Task The_message_format_may_be_named() =>
        Assert.Equal("0", (await _raw.SendAsync(Unary, RawCall.Frame([]), "application/grpc+proto")).Status);

    [Fact]
    public async Task Compressed_messages_are_read_and_answered_alike()
    {
        byte[] request = RawCall.Frame(RawCall.Compress(new ListGuestsRequest { Share = new string('s', 5000) }.ToByteArray()), flag: 1);
        RawCall.Answer answer = await _raw.SendAsync(
            Unary, request, headers: [("grpc-encoding", "gzip"), ("grpc-accept-encoding", "identity, gzip")]);
        Assert.Equal("0", answer.Status);
        Assert.Equal(1, answer.Body[0]);
        Assert.True(answer.Body.Length < 1000);
        Assert.Equal(5000, ListGuestsResponse.Parser.ParseFrom(RawCall.Decompress(answer.Body[5..])).Guests.Single().Share.Length);
    }

    [Fact]
    public async Task Few_bytes_that_stand_for_many_are_refused()
    {
        byte[] bomb = RawCall.Frame(RawCall.Compress(new byte[100 << 20]), flag: 1);
        RawCall.Answer answer = await _raw.SendAsync(Unary, bomb, headers: ("grpc-encoding", "gzip"));
        Assert.Equal("8", answer.Status);
    }

    [Fact]
    public async Task An_unknown_compression_is_refused_with_those_that_are_known()
    {
        RawCall.Answer answer = await _raw.SendAsync(Unary, RawCall.Frame([1], flag: 1), headers: ("grpc-encoding", "snappy"));
        Assert.Equal("12", answer.Status);
        Assert.Equal("identity,gzip", answer.Response.Headers.GetValues("grpc-accept-encoding").Single());
    }

    [Fact]
    public async Task An_unknown_method_is_unimplemented() =>
        Assert.Equal("12", (await _raw.SendAsync("/coherency.admin.v1.Admin/Dance", RawCall.Frame([]))).Status);

    [Fact]
    public async Task A_path_of_no_method_is_not_found() =>
        Assert.Equal(HttpStatusCode.NotFound, (await _raw.SendAsync("/a/b/c", RawCall.Frame([]))).HttpStatus);

    [Theory]
    [InlineData("100m")]
    [InlineData("1u")]
    [InlineData("99u")]
    public async Task The_server_itself_ends_a_call_at_its_deadline(string timeout)
    {
        byte[] request = RawCall.Frame(new ListGuestsRequest { Share = "wait" }.ToByteArray());
        RawCall.Answer answer = await _raw.SendAsync(Unary, request, headers: ("grpc-timeout", timeout));
        Assert.Equal("4", answer.Status);
        await Eventually.IsTrueAsync(() => _server.Service.Waiting == 0);
    }

    [Fact]
    public async Task A_fault_of_the_service_says_nothing_of_itself()
    {
        RawCall.Answer answer = await _raw.SendAsync("/coherency.admin.v1.Admin/Inspect", RawCall.Frame([]));
        Assert.Equal("2", answer.Status);
        Assert.DoesNotContain("secret", answer.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_text_of_a_status_is_encoded()
    {
        byte[] request = RawCall.Frame(new ListStaleEntriesRequest { Share = "fail", PageSize = 2 }.ToByteArray());
        RawCall.Answer answer = await _raw.SendAsync("/coherency.admin.v1.Admin/ListStaleEntries", request);
        Assert.Equal("9", answer.Status);
        Assert.Equal("100 %25 of Gr%C3%B6%C3%9Fe%0Ais gone", answer.Message);
        Assert.Equal(2, answer.Body.Count(one => one == (byte)'\x12'));
    }
}
