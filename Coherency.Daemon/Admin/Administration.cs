using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;
using Coherency.Admin.V1;
using Coherency.Daemon.Admin.Listening;
using Coherency.Daemon.Hosting.Web;
using Grpc.Core;
using Grpc.Health.V1;
using Grpc.Reflection;
using Grpc.Reflection.V1;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.RateLimiting;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using ServiceDescriptor = Google.Protobuf.Reflection.ServiceDescriptor;

namespace Coherency.Daemon.Admin;

/// <summary>Puts the administration on a web server. It shares nothing with the threads that serve guests.</summary>
internal static class Administration
{
    public const string Gzip = "gzip";

    private const string CallsPolicy = "calls";

    /// <summary>
    /// What reflection tells of. Grpc.AspNetCore.Server.Reflection would find the services by itself, in a way that a program compiled
    /// ahead of time cannot rely on.
    /// </summary>
    private static readonly ServiceDescriptor[] Described =
    [
        .. from file in new[]
        {
            AdminReflection.Descriptor, HealthReflection.Descriptor, ReflectionReflection.Descriptor,
            Grpc.Reflection.V1Alpha.ReflectionReflection.Descriptor,
        }
           from service in file.Services
           select service,
    ];

    /// <summary>Lets the server listen there, and answer calls of gRPC.</summary>
    public static void AddAdministration(this WebApplicationBuilder builder, AdminAddresses addresses, AdminLimits limits)
    {
        Listen(builder, addresses, limits);
        builder.WebHost.UseKestrelHttpsConfiguration().ConfigureKestrel(options => limits.Apply(options.Limits));
        builder.Services.AddSingleton(limits);
        builder.Services.AddGrpc(options =>
        {
            options.MaxReceiveMessageSize = limits.MessageBytesMax;
            options.CompressionProviders = [new BoundedGzip(limits.MessageBytesMax)];
            options.ResponseCompressionAlgorithm = Gzip;
            options.Interceptors.Add<CallInterceptor>();
        });
        builder.Services.AddSingleton(new ReflectionV1ServiceImpl(Described));
        builder.Services.AddSingleton(new ReflectionServiceImpl(Described));
        builder.Services.AddRateLimiter(options =>
        {
            options.AddConcurrencyLimiter(CallsPolicy, calls => calls.PermitLimit = limits.CallsMax);
            options.OnRejected = (rejected, _) => RefuseAsync(rejected.HttpContext, limits);
        });
    }

    /// <summary>What comes before all calls.</summary>
    /// <returns>Where their services belong.</returns>
    public static IEndpointRouteBuilder UseAdministration(this WebApplication web)
    {
        web.UseRateLimiter();
        web.Use(async (context, next) =>
        {
            // Streams end when the daemon stops, rather than when their clients have had enough.
            using CancellationTokenSource ended = CancellationTokenSource.CreateLinkedTokenSource(
                context.RequestAborted,
                web.Lifetime.ApplicationStopping);
            context.RequestAborted = ended.Token;
            await next(context).ConfigureAwait(false);
        });
        RouteGroupBuilder calls = web.MapGroup("").OnlyAt(Listener.Administration).RequireRateLimiting(CallsPolicy);
        // Tells tools which services there are, and what their messages look like; older ones ask by v1alpha.
        calls.MapGrpcService<ReflectionV1ServiceImpl>();
        calls.MapGrpcService<ReflectionServiceImpl>();
        return calls;
    }

    /// <summary>A status without messages, as gRPC has it over HTTP/2 ("Trailers-Only").</summary>
    private static ValueTask RefuseAsync(HttpContext context, AdminLimits limits)
    {
        context.Response.StatusCode = StatusCodes.Status200OK;
        context.Response.ContentType = "application/grpc";
        context.Response.Headers["grpc-status"] = ((int)StatusCode.ResourceExhausted).ToString(CultureInfo.InvariantCulture);
        context.Response.Headers["grpc-message"] = $"{limits.CallsMax} calls are under way: try again later";
        return ValueTask.CompletedTask;
    }

    private static void Listen(WebApplicationBuilder builder, AdminAddresses addresses, AdminLimits limits)
    {
        if (addresses.Socket is { } socket)
        {
            builder.Listen(
                socket.LocalEndPoint!,
                Listener.Administration,
                limits.ConnectionsMax,
                _ => socket,
                listen => listen.Protocols = HttpProtocols.Http2);
        }

        if (addresses.Network is { } network)
        {
            Func<EndPoint, Socket> bind = endPoint => WebServer.Bind(endPoint, "--admin-tls");
            builder.Listen(network.EndPoint, Listener.Administration, limits.NetworkConnectionsMax, bind, listen =>
            {
                listen.Protocols = HttpProtocols.Http1AndHttp2;
                listen.UseHttps(ToHttps(network, limits));
            });
        }
    }

    private static HttpsConnectionAdapterOptions ToHttps(TlsListener network, AdminLimits limits) => new()
    {
        ServerCertificate = network.Certificate,
        ServerCertificateChain = network.Chain,
        SslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
        HandshakeTimeout = limits.HandshakeTimeout,
        ClientCertificateMode = ClientCertificateMode.RequireCertificate,
        ClientCertificateValidation = (certificate, sent, _) => network.IsClient(certificate, sent),
    };
}
