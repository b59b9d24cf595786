using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace Coherency.Daemon.Reports;

/// <summary>Has the daemon's state at hand for whoever passes it on.</summary>
internal static class ReportsHosting
{
    /// <summary>Of the guest server among the services.</summary>
    public static void AddReports(this WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton<DaemonReports>();
        builder.Services.AddSingleton<DaemonLookup>();
        builder.Services.AddSingleton<DaemonState>();
        builder.Services.AddSingleton<IDaemonState>(services => services.GetRequiredService<DaemonState>());
        builder.AddHistory(TimeProvider.System);
    }

    /// <summary>Of the state among the services.</summary>
    public static void AddHistory(this WebApplicationBuilder builder, TimeProvider time)
    {
        builder.Services.AddSingleton(time);
        builder.Services.AddSingleton<RequestHistory>();
        builder.Services.AddHostedService<HistorySampler>();
    }
}
