using Coherency.Admin.V1;
using Coherency.Daemon.Grpc;
using Coherency.Daemon.Grpc.Client;
using Coherency.Daemon.Grpc.Server;
using AdminMethods = Coherency.Daemon.Grpc.Services.Admin;

namespace Coherency.Tests.Admin;

/// <summary>Streams of the gRPC layer, and what ends them; also the client, which is the command line's.</summary>
public sealed class GrpcStreamTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task All_messages_of_a_stream_arrive_in_order()
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync();
        using GrpcChannel channel = GrpcChannel.ForUnixSocket(server.Socket);
        List<string> tokens = [];
        await foreach (ListStaleEntriesResponse page in channel.StreamAsync(AdminMethods.ListStaleEntries, new ListStaleEntriesRequest { PageSize = 10_000 }))
        {
            tokens.Add(page.NextPageToken);
        }

        Assert.Equal(Enumerable.Range(0, 10_000).Select(i => $"{i}"), tokens);
    }

    [Fact]
    public async Task An_empty_stream_ends_well()
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync();
        using GrpcChannel channel = GrpcChannel.ForUnixSocket(server.Socket);
        await foreach (ListStaleEntriesResponse page in channel.StreamAsync(AdminMethods.ListStaleEntries, new ListStaleEntriesRequest()))
        {
            Assert.Fail($"a message came: {page}");
        }
    }

    [Fact]
    public async Task A_status_after_messages_reaches_the_client_with_its_text()
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync();
        using GrpcChannel channel = GrpcChannel.ForUnixSocket(server.Socket);
        int messages = 0;
        RpcException refused = await Assert.ThrowsAsync<RpcException>(async () =>
        {
            await foreach (ListStaleEntriesResponse page in channel.StreamAsync(AdminMethods.ListStaleEntries, new ListStaleEntriesRequest { PageSize = 3, Share = "fail" }))
            {
                messages++;
            }
        });
        Assert.Equal(3, messages);
        Assert.Equal(new Status(StatusCode.FailedPrecondition, "100 % of Größe\nis gone"), refused.Status);
    }

    [Fact]
    public async Task A_client_that_goes_ends_its_calls()
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync();
        using GrpcChannel channel = GrpcChannel.ForUnixSocket(server.Socket);
        using CancellationTokenSource cancellation = new();
        Task waiting = channel.CallAsync(AdminMethods.ListGuests, new ListGuestsRequest { Share = "wait" }, cancellation: cancellation.Token);
        await WaitUntil(() => server.Service.Waiting == 1);
        await cancellation.CancelAsync();
        await WaitUntil(() => server.Service.Waiting == 0);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
    }

    [Fact]
    public async Task A_client_that_stops_reading_is_cut_off_and_others_are_served()
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync(new CallLimits { WritePatience = TimeSpan.FromSeconds(1) });
        using GrpcChannel lazy = GrpcChannel.ForUnixSocket(server.Socket);
        using GrpcChannel other = GrpcChannel.ForUnixSocket(server.Socket);
        await using IAsyncEnumerator<WatchChangesResponse> stream = lazy.StreamAsync(AdminMethods.WatchChanges, new WatchChangesRequest()).GetAsyncEnumerator();
        Assert.True(await stream.MoveNextAsync());
        Assert.Equal(1, server.Service.Waiting);
        while (server.Service.Waiting > 0)
        {
            await other.CallAsync(AdminMethods.ListGuests, new ListGuestsRequest(), Patience);
        }

        RpcException end = await Assert.ThrowsAsync<RpcException>(async () =>
        {
            while (await stream.MoveNextAsync())
            {
                // What was on its way already.
            }
        });
        Assert.Equal(StatusCode.Unavailable, end.StatusCode);
    }

    [Fact]
    public async Task A_client_that_reads_slowly_is_not_cut_off()
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync(new CallLimits { WritePatience = TimeSpan.FromSeconds(5) });
        using GrpcChannel slow = GrpcChannel.ForUnixSocket(server.Socket);
        int read = 0;
        await foreach (WatchChangesResponse response in slow.StreamAsync(AdminMethods.WatchChanges, new WatchChangesRequest()))
        {
            Assert.Equal(10_000, response.Changes.Single().Cause.Path.Length);
            if (++read == 500)
            {
                break;
            }

            await Task.Yield();
        }

        await WaitUntil(() => server.Service.Waiting == 0);
    }

    [Fact]
    public async Task More_calls_than_are_possible_are_refused_and_the_others_go_on()
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync(new CallLimits { CallsMax = 3 });
        using GrpcChannel channel = GrpcChannel.ForUnixSocket(server.Socket);
        using CancellationTokenSource end = new();
        Task[] waiting = [.. Enumerable.Range(0, 3).Select(_ =>
            channel.CallAsync(AdminMethods.ListGuests, new ListGuestsRequest { Share = "wait" }, cancellation: end.Token))];
        await WaitUntil(() => server.Service.Waiting == 3);
        RpcException refused = await Assert.ThrowsAsync<RpcException>(() => channel.CallAsync(AdminMethods.ListGuests, new ListGuestsRequest(), Patience));
        Assert.Equal(StatusCode.ResourceExhausted, refused.StatusCode);
        await end.CancelAsync();
        await WaitUntil(() => server.Service.Waiting == 0);
        await Task.WhenAll(waiting).ContinueWith(_ => { }, TaskScheduler.Default);
    }

    [Fact]
    public async Task A_client_that_does_not_send_its_message_is_cut_off()
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync(new CallLimits { ReadPatience = TimeSpan.FromMilliseconds(200) });
        using RawCall raw = new(server.Socket);
        RawCall.Answer answer = await raw.SendAsync("/coherency.admin.v1.Admin/ListGuests", new EndlessContent());
        Assert.Equal("1", answer.Status);
    }

    private static async Task WaitUntil(Func<bool> condition)
    {
        DateTime end = DateTime.UtcNow + Patience;
        while (!condition())
        {
            Assert.True(DateTime.UtcNow < end, "it does not come to be");
            await Task.Delay(5);
        }
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
