using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Coherency.Daemon.Grpc.Server;

/// <summary>Puts services on a web server.</summary>
internal static class GrpcEndpoints
{
    public static void MapServices(this IEndpointRouteBuilder endpoints, CallServer server, params IEnumerable<ServerServiceDefinition> services)
    {
        foreach (MethodHandler handler in services.SelectMany(service => service.Handlers))
        {
            endpoints.MapPost(handler.Path, http => server.ServeAsync(http, handler));
        }

        // Two segments are what a method has; other paths are not found in the way of web servers.
        endpoints.MapPost("/{service}/{method}", (RequestDelegate)(http => server.ServeAsync(http, null)));
    }
}
