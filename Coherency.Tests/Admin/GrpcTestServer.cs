using Coherency.Admin.V1;
using Coherency.Daemon.Admin;
using Coherency.Daemon.Admin.Listening;
using Coherency.Daemon.Configuration;
using Coherency.Daemon.Hosting.Web;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using V1 = Coherency.Admin.V1;

namespace Coherency.Tests.Admin;

/// <summary>The administration on a socket, with a service that does what a test needs.</summary>
internal sealed class GrpcTestServer : IAsyncDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("coherency-grpc-");
    private readonly AdminAddresses _addresses;
    private readonly WebApplication _web;

    private GrpcTestServer(AdminLimits limits)
    {
        Socket = Path.Combine(_folder.FullName, "admin.sock");
        WebApplicationBuilder builder = WebServer.CreateBuilder();
        _addresses = AdminAddresses.Of(new AdminConfiguration { Socket = Socket }, instance: null, "", activated: null);
        builder.AddAdministration(_addresses, limits);
        builder.Services.AddSingleton(Service);
        _web = builder.Build();
        _web.UseListeners();
        _web.UseAdministration().MapGrpcService<TestService>();
    }

    public string Socket { get; }

    public TestService Service { get; } = new();

    public static async Task<GrpcTestServer> StartAsync(AdminLimits? limits = null)
    {
        GrpcTestServer server = new(limits ?? new AdminLimits());
        await server._web.StartAsync();
        return server;
    }

    public async ValueTask DisposeAsync()
    {
        await _web.DisposeAsync();
        _addresses.Dispose();
        _folder.Delete(recursive: true);
    }

    /// <summary>Methods that last, and that send much.</summary>
    internal sealed class TestService : V1.Admin.AdminBase
    {
        private int _waiting;

        /// <summary>Calls that have not ended.</summary>
        public int Waiting => Volatile.Read(ref _waiting);

        public Metadata? LastHeaders { get; private set; }

        /// <summary>Lasts until the client ends it, if the share is "wait"; otherwise has one guest of that share.</summary>
        public override async Task<ListGuestsResponse> ListGuests(ListGuestsRequest request, ServerCallContext context)
        {
            LastHeaders = context.RequestHeaders;
            context.ResponseTrailers.Add("seen-bin", [0, 1, 255]);
            if (request.Share == "wait")
            {
                await WaitAsync(context);
            }

            return new ListGuestsResponse { Guests = { new V1.Guest { Name = "only", Share = request.Share } } };
        }

        /// <summary>Sends without end.</summary>
        public override async Task WatchChanges(
            WatchChangesRequest request, IServerStreamWriter<WatchChangesResponse> responseStream, ServerCallContext context)
        {
            Interlocked.Increment(ref _waiting);
            try
            {
                Change change = new() { Cause = new Cause { Path = new string('x', 10_000) } };
                while (true)
                {
                    await responseStream.WriteAsync(new WatchChangesResponse { Changes = { change } }, context.CancellationToken);
                }
            }
            finally
            {
                Interlocked.Decrement(ref _waiting);
            }
        }

        /// <summary>Sends as many entries as the page has, then fails if the share is "fail".</summary>
        public override async Task ListStaleEntries(
            ListStaleEntriesRequest request, IServerStreamWriter<ListStaleEntriesResponse> responseStream, ServerCallContext context)
        {
            for (uint i = 0; i < request.PageSize; i++)
            {
                await responseStream.WriteAsync(new ListStaleEntriesResponse { NextPageToken = $"{i}" }, context.CancellationToken);
            }

            if (request.Share == "fail")
            {
                throw new RpcException(new Status(StatusCode.FailedPrecondition, "100 % of Größe\nis gone"));
            }
        }

        public override Task<InspectResponse> Inspect(InspectRequest request, ServerCallContext context) =>
            throw new InvalidOperationException("a secret of the daemon");

        private async Task WaitAsync(ServerCallContext context)
        {
            Interlocked.Increment(ref _waiting);
            try
            {
                await Task.Delay(Timeout.Infinite, context.CancellationToken);
            }
            finally
            {
                Interlocked.Decrement(ref _waiting);
            }
        }
    }
}
