using System.Globalization;
using System.Numerics;
using Coherency.Daemon.Reports;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using V1 = Coherency.Admin.V1;

namespace Coherency.Daemon.Dashboard;

/// <summary>The pages and the questions that they ask. Everything passes a <see cref="DashboardGuard"/> before.</summary>
internal static class DashboardEndpoints
{
    /// <summary>Stale entries of one answer: what follows on the page should be seen, too.</summary>
    public const int StalePageEntries = 10;

    private const uint BucketsDefault = 1024;
    private const string Bearer = "Bearer ";

    public static void Map(IEndpointRouteBuilder endpoints, DashboardAccess access, DashboardAssets assets)
    {
        MapPages(endpoints, access, assets);
        Ask(endpoints, "/api/guests", async (context, state) => await state.ListGuestsAsync(
            new V1.ListGuestsRequest { CountStale = true, Operations = true }, context.RequestAborted).ConfigureAwait(false));
        Ask(endpoints, "/api/shares", (_, state) => Task.FromResult<IMessage>(state.ListShares()));
        Ask(endpoints, "/api/rates", (context, _) =>
            Task.FromResult<IMessage>(context.RequestServices.GetRequiredService<RequestHistory>().Read(ReadNumber(context, "after", 0L))));
        Ask(endpoints, "/api/table/{guest}", async (context, state) => await state.GetTableAsync(
            new V1.GetTableRequest
            {
                Guest = (string)context.Request.RouteValues["guest"]!,
                HeatBuckets = ReadNumber(context, "buckets", BucketsDefault),
            },
            context.RequestAborted).ConfigureAwait(false));
        Ask(endpoints, "/api/stale", async (context, state) => await state.ListStaleAsync(
            new V1.ListStaleEntriesRequest
            {
                Guest = context.Request.Query["guest"].ToString(),
                PageToken = context.Request.Query["after"].ToString(),
                PageSize = StalePageEntries,
            },
            context.RequestAborted).ConfigureAwait(false));
    }

    private static void Ask(IEndpointRouteBuilder endpoints, string pattern, Func<HttpContext, IDaemonState, Task<IMessage>> ask) =>
        Answer(endpoints, pattern, async context =>
        {
            try
            {
                IMessage answer = await ask(context, context.RequestServices.GetRequiredService<IDaemonState>()).ConfigureAwait(false);
                await DashboardAnswers.WriteAsync(context, answer).ConfigureAwait(false);
            }
            catch (RpcException refused)
            {
                await DashboardAnswers.RefuseAsync(context, refused.Status).ConfigureAwait(false);
            }
        });

    private static void MapPages(IEndpointRouteBuilder endpoints, DashboardAccess access, DashboardAssets assets)
    {
        Answer(endpoints, "/", context => assets.WriteAsync(context, DashboardAssets.Index));
        Answer(endpoints, "/sign-in", context => assets.WriteAsync(context, DashboardAssets.SignIn));
        Answer(endpoints, "/session", context => SignInAsync(context, access));
        foreach (string path in assets.Paths.Where(path => Path.GetExtension(path) != ".html"))
        {
            Answer(endpoints, path, context => assets.WriteAsync(context, path));
        }
    }

    private static void Answer(IEndpointRouteBuilder endpoints, string pattern, RequestDelegate answer) =>
        endpoints.MapGet(pattern, answer);

    private static Task SignInAsync(HttpContext context, DashboardAccess access)
    {
        string authorization = context.Request.Headers.Authorization.ToString();
        string? token = authorization.StartsWith(Bearer, StringComparison.Ordinal) ? authorization[Bearer.Length..] : null;
        if (access.Exchange(token) is not { } cookie)
        {
            // A page that shows why is no failure of its own.
            return DashboardAnswers.RefuseAsync(context, StatusCodes.Status401Unauthorized, "The token is not valid.");
        }

        context.Response.Cookies.Append(
            DashboardGuard.CookieName, cookie, new CookieOptions { HttpOnly = true, SameSite = SameSiteMode.Strict, Path = "/" });
        context.Response.StatusCode = StatusCodes.Status204NoContent;
        return Task.CompletedTask;
    }

    /// <exception cref="RpcException">It is none.</exception>
    private static T ReadNumber<T>(HttpContext context, string name, T missing)
        where T : INumber<T>
    {
        string text = context.Request.Query[name].ToString();
        return text.Length == 0 ? missing
            : T.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out T? number) ? number
            : throw new RpcException(new Status(StatusCode.InvalidArgument, $"{name}={text}: a whole number is possible"));
    }
}
