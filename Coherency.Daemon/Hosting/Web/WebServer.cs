using System.Net;
using System.Net.Sockets;
using Coherency.Daemon.Configuration;
using Coherency.Host.Passthrough;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Coherency.Daemon.Hosting.Web;

/// <summary>The one web server of a daemon: it listens at several places, and answers at none of them what belongs to another.</summary>
internal static class WebServer
{
    private static readonly TimeSpan HeadersTimeout = TimeSpan.FromSeconds(10);

    /// <summary>For answers that are on their way when the daemon stops.</summary>
    private static readonly TimeSpan StopPatience = TimeSpan.FromSeconds(2);

    /// <summary>
    /// A host with a web server, which listens nowhere yet. The other builders read settings from the working directory and
    /// addresses from the environment: either could open a port.
    /// </summary>
    public static WebApplicationBuilder CreateBuilder()
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddRoutingCore();
        builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = StopPatience);
        builder.Services.AddSingleton<IServer, NoServer>();
        return builder;
    }

    /// <summary>Lets the server listen there.</summary>
    /// <param name="bind">Makes the socket, as <see cref="Bind"/> does.</param>
    /// <param name="connectionsMax">At once; more are ended as soon as they are there.</param>
    public static void Listen(
        this WebApplicationBuilder builder, EndPoint endPoint, Listener listener, int connectionsMax, Func<EndPoint, Socket> bind,
        Action<ListenOptions> configure)
    {
        builder.Services.Configure<SocketTransportOptions>(options =>
        {
            Func<EndPoint, Socket> others = options.CreateBoundListenSocket;
            options.CreateBoundListenSocket = asked => asked.Equals(endPoint) ? bind(asked) : others(asked);
        });
        builder.WebHost.UseKestrelCore().ConfigureKestrel(options =>
        {
            options.AddServerHeader = false;
            options.Limits.RequestHeadersTimeout = HeadersTimeout;
            options.Listen(endPoint, listen =>
            {
                listen.Use(new ConnectionLimit(connectionsMax).Apply);
                listen.Use(TakeDescriptor);
                listen.Use(next => connection =>
                {
                    connection.Features.Set(listener);
                    return next(connection);
                });
                configure(listen);
            });
        });
    }

    /// <summary>Listens on an address of the network.</summary>
    /// <param name="option">What asked for it, for the message.</param>
    /// <exception cref="UsageException">It is in use, or not this machine's.</exception>
    public static Socket Bind(EndPoint endPoint, string option)
    {
        try
        {
            return SocketTransportOptions.CreateDefaultBoundListenSocket(endPoint);
        }
        catch (SocketException unusable)
        {
            throw new UsageException($"{option} {endPoint}: {unusable.Message}");
        }
    }

    /// <summary>Finds the endpoint of a request, if it is one of the place where the request arrived.</summary>
    public static void UseListeners(this WebApplication web)
    {
        web.UseRouting();
        web.Use((context, next) =>
        {
            if (context.GetEndpoint()?.Metadata.GetMetadata<Places>()?.Listeners.Contains(ListenerOf(context)) != true)
            {
                context.SetEndpoint(null);
            }

            return next(context);
        });
    }

    /// <summary>These endpoints are there for who connects to one of these places, and for nobody else.</summary>
    public static TBuilder OnlyAt<TBuilder>(this TBuilder endpoints, params Listener[] listeners)
        where TBuilder : IEndpointConventionBuilder => endpoints.WithMetadata(new Places(listeners));

    public static Listener? ListenerOf(HttpContext context) => context.Features.Get<Listener>();

    /// <summary>A connection's descriptor comes out of the same budget as the guests', which must not be overdrawn.</summary>
    private static ConnectionDelegate TakeDescriptor(ConnectionDelegate next) => async connection =>
    {
        if (!DescriptorBudget.Process.TryTake())
        {
            connection.Abort();
            return;
        }

        try
        {
            await next(connection).ConfigureAwait(false);
        }
        finally
        {
            DescriptorBudget.Process.Return();
        }
    };

    private sealed record Places(Listener?[] Listeners);

    /// <summary>Stands in where nothing listens: Kestrel would take a port of its own choice.</summary>
    private sealed class NoServer : IServer
    {
        public IFeatureCollection Features { get; } = new FeatureCollection();

        public Task StartAsync<TContext>(IHttpApplication<TContext> application, CancellationToken cancellationToken)
            where TContext : notnull => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public void Dispose()
        {
            // There is nothing to end.
        }
    }
}
