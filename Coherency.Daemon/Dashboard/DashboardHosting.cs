using Coherency.Daemon.Hosting.Web;
using Coherency.Daemon.Reports;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;

namespace Coherency.Daemon.Dashboard;

/// <summary>Puts the dashboard on a web server. It shows an <see cref="IDaemonState"/> and a <see cref="RequestHistory"/>.</summary>
internal static class DashboardHosting
{
    /// <summary>A page has six at most.</summary>
    private const int ConnectionsMax = 128;

    /// <param name="place">Of <see cref="DashboardAddress.Parse"/>.</param>
    public static void AddDashboard(this WebApplicationBuilder builder, ListeningPlace place)
    {
        DashboardAccess access = new();
        builder.Services.AddSingleton(access);
        builder.Listen(place.Address, Listener.Dashboard, ConnectionsMax, place.Bind, listen =>
        {
            listen.Protocols = HttpProtocols.Http1;
            access.ListenOptions = listen;
        });
    }

    public static void MapDashboard(this WebApplication web)
    {
        DashboardAssets assets = new();
        DashboardAccess access = web.Services.GetRequiredService<DashboardAccess>();
        web.UseWhen(context => WebServer.ListenerOf(context) == Listener.Dashboard, dashboard =>
        {
            dashboard.Use((context, next) =>
            {
                context.Features.GetRequiredFeature<IHttpMaxRequestBodySizeFeature>().MaxRequestBodySize = 0;
                return next(context);
            });
            dashboard.Use(new DashboardGuard(access, assets).InvokeAsync);
        });
        RouteGroupBuilder pages = web.MapGroup("").OnlyAt(Listener.Dashboard);
        DashboardEndpoints.Map(pages, access, assets);
    }
}
