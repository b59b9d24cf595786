using Coherency.Admin.V1;
using Coherency.Daemon.Admin;
using Coherency.Daemon.Commands.Remote;
using Grpc.Core;
using Grpc.Net.Client;
using AdminClient = Coherency.Admin.V1.Admin.AdminClient;

namespace Coherency.Tests.Admin;

/// <summary>Streams of the administration, and what ends them.</summary>
public sealed class GrpcStreamTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task All_messages_of_a_stream_arrive_in_order()
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync();
        using GrpcChannel channel = AdminChannel.Open(server.Socket);
        List<string> tokens = [];
        await foreach (
            ListStaleEntriesResponse page in new AdminClient(channel).ListStaleEntries(
                new ListStaleEntriesRequest { PageSize = 10_000 }).ResponseStream.ReadAllAsync())
        {
            tokens.Add(page.NextPageToken);
        }

        Assert.Equal(Enumerable.Range(0, 10_000).Select(i => $"{i}"), tokens);
    }

    [Fact]
    public async Task An_empty_stream_ends_well()
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync();
        using GrpcChannel channel = AdminChannel.Open(server.Socket);
        await foreach (
            ListStaleEntriesResponse page in new AdminClient(channel).ListStaleEntries(
                new ListStaleEntriesRequest()).ResponseStream.ReadAllAsync())
        {
            Assert.Fail($"a message came: {page}");
        }
    }

    [Fact]
    public async Task A_status_after_messages_reaches_the_client_with_its_text()
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync();
        using GrpcChannel channel = AdminChannel.Open(server.Socket);
        int messages = 0;
        RpcException refused = await Assert.ThrowsAsync<RpcException>(async () =>
        {
            await foreach (
                ListStaleEntriesResponse page in new AdminClient(channel).ListStaleEntries(
                    new ListStaleEntriesRequest { PageSize = 3, Share = "fail" }).ResponseStream.ReadAllAsync())
            {
                messages++;
            }
        });
        Assert.Equal(3, messages);
        Assert.Equal((StatusCode.FailedPrecondition, "100 % of Größe\nis gone"), (refused.StatusCode, refused.Status.Detail));
    }

    [Fact]
    public async Task A_client_that_goes_ends_its_calls()
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync();
        using GrpcChannel channel = AdminChannel.Open(server.Socket);
        using CancellationTokenSource cancellation = new();
        Task waiting = new AdminClient(channel).ListGuestsAsync(
            new ListGuestsRequest { Share = "wait" }, cancellationToken: cancellation.Token).ResponseAsync;
        await Eventually.IsTrueAsync(() => server.Service.Waiting == 1);
        await cancellation.CancelAsync();
        await Eventually.IsTrueAsync(() => server.Service.Waiting == 0);
        await Assert.ThrowsAsync<RpcException>(() => waiting);
    }

    [Fact]
    public async Task A_client_that_stops_reading_is_cut_off_and_others_are_served()
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync(new AdminLimits { WritePatience = TimeSpan.FromSeconds(2) });
        using GrpcChannel lazy = AdminChannel.Open(server.Socket);
        using GrpcChannel other = AdminChannel.Open(server.Socket);
        await using IAsyncEnumerator<WatchChangesResponse> stream = new AdminClient(lazy)
            .WatchChanges(new WatchChangesRequest()).ResponseStream.ReadAllAsync().GetAsyncEnumerator();
        Assert.True(await stream.MoveNextAsync());
        Assert.Equal(1, server.Service.Waiting);
        while (server.Service.Waiting > 0)
        {
            await new AdminClient(other).ListGuestsAsync(new ListGuestsRequest(), deadline: DateTime.UtcNow + Patience);
        }

        RpcException end = await Assert.ThrowsAsync<RpcException>(async () =>
        {
            while (await stream.MoveNextAsync())
            {
                // What was on its way already.
            }
        });
        Assert.NotEqual(StatusCode.OK, end.StatusCode);
    }

    [Fact]
    public async Task A_client_that_reads_slowly_is_not_cut_off()
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync(new AdminLimits { WritePatience = TimeSpan.FromSeconds(5) });
        using GrpcChannel slow = AdminChannel.Open(server.Socket);
        int read = 0;
        using AsyncServerStreamingCall<WatchChangesResponse> call = new AdminClient(slow).WatchChanges(new WatchChangesRequest());
        await foreach (WatchChangesResponse response in call.ResponseStream.ReadAllAsync())
        {
            Assert.Equal(10_000, response.Changes.Single().Cause.Path.Length);
            if (++read == 500)
            {
                break;
            }

            await Task.Yield();
        }

        call.Dispose();
        await Eventually.IsTrueAsync(() => server.Service.Waiting == 0);
    }

    [Fact]
    public async Task More_calls_than_are_possible_are_refused_and_the_others_go_on()
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync(new AdminLimits { CallsMax = 3 });
        using GrpcChannel channel = AdminChannel.Open(server.Socket);
        using CancellationTokenSource end = new();
        Task[] waiting = [.. Enumerable.Range(0, 3).Select(_ =>
            new AdminClient(channel).ListGuestsAsync(new ListGuestsRequest { Share = "wait" },
            cancellationToken: end.Token).ResponseAsync)];
        await Eventually.IsTrueAsync(() => server.Service.Waiting == 3);
        RpcException refused = await Assert.ThrowsAsync<RpcException>(
            () => new AdminClient(channel).ListGuestsAsync(new ListGuestsRequest(), deadline: DateTime.UtcNow + Patience).ResponseAsync);
        Assert.Equal(StatusCode.ResourceExhausted, refused.StatusCode);
        await end.CancelAsync();
        await Eventually.IsTrueAsync(() => server.Service.Waiting == 0);
        await Task.WhenAll(waiting).ContinueWith(_ => { }, TaskScheduler.Default);
    }

    [Fact]
    public async Task A_client_that_does_not_send_its_message_is_cut_off()
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync(new AdminLimits { ReadPatience = TimeSpan.FromSeconds(2) });
        using RawCall raw = new(server.Socket);
        await Assert.ThrowsAsync<HttpRequestException>(() => raw.SendAsync("/coherency.admin.v1.Admin/ListGuests", new EndlessContent()));
    }

    /// <summary>The first bytes of a message, and nothing more.</summary>
    private sealed class EndlessContent : HttpContent
    {
        protected override async Task SerializeToStreamAsync(Stream stream, System.Net.TransportContext? context)
        {
            await stream.WriteAsync(new byte[] { 0, 0, 0 });
            await stream.FlushAsync();
            await Task.Delay(Timeout.Infinite);
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
