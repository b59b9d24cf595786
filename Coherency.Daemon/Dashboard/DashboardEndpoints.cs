using System.Globalization;
using System.Numerics;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Coherency.Daemon.Dashboard;

/// <summary>The pages and the questions that they ask. Everything passes a <see cref="DashboardGuard"/> before.</summary>
internal static class DashboardEndpoints
{
    /// <summary>More cells than that nobody can tell apart on a screen.</summary>
    public const int BucketsMax = 4096;

    /// <summary>Stale entries of one answer: about two screens.</summary>
    public const int StalePageEntries = 50;

    private const int BucketsDefault = 1024;
    private const string Bearer = "Bearer ";

    public static void Map(IEndpointRouteBuilder endpoints, IDashboardData data, RequestHistory history, DashboardAccess access, DashboardAssets assets)
    {
        MapPages(endpoints, access, assets);
        Answer(endpoints, "/api/guests", context => AnswerGuestsAsync(context, data));
        Answer(endpoints, "/api/shares", context => DashboardAnswers.WriteAsync(context, new DashboardShares(data.ListShares()), DashboardJson.Default.DashboardShares));
        Answer(endpoints, "/api/rates", context => DashboardAnswers.WriteAsync(context, history.Read(ReadNumber(context, "after", 0)), DashboardJson.Default.DashboardRates));
        Answer(endpoints, "/api/table/{guest}", context => AnswerTableAsync(context, data));
        Answer(endpoints, "/api/stale", context => AnswerStaleAsync(context, data));
    }

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

    private static void Answer(IEndpointRouteBuilder endpoints, string pattern, RequestDelegate answer) => endpoints.MapGet(pattern, answer);

    private static Task SignInAsync(HttpContext context, DashboardAccess access)
    {
        string authorization = context.Request.Headers.Authorization.ToString();
        string? token = authorization.StartsWith(Bearer, StringComparison.Ordinal) ? authorization[Bearer.Length..] : null;
        if (access.Exchange(token) is not { } cookie)
        {
            // A page that shows why is no failure of its own.
            return DashboardAnswers.RefuseAsync(context, StatusCodes.Status401Unauthorized, "The token is not valid.");
        }

        context.Response.Cookies.Append(DashboardGuard.CookieName, cookie, new CookieOptions { HttpOnly = true, SameSite = SameSiteMode.Strict, Path = "/" });
        context.Response.StatusCode = StatusCodes.Status204NoContent;
        return Task.CompletedTask;
    }

    private static async Task AnswerGuestsAsync(HttpContext context, IDashboardData data)
    {
        IReadOnlyList<DashboardGuest> guests = await data.ListGuestsAsync(countStale: true, context.RequestAborted).ConfigureAwait(false);
        await DashboardAnswers.WriteAsync(context, new DashboardGuests(guests), DashboardJson.Default.DashboardGuests).ConfigureAwait(false);
    }

    private static async Task AnswerTableAsync(HttpContext context, IDashboardData data)
    {
        string guest = (string)context.Request.RouteValues["guest"]!;
        long buckets = ReadNumber(context, "buckets", BucketsDefault);
        if (buckets is < 1 or > BucketsMax || !BitOperations.IsPow2(buckets))
        {
            await DashboardAnswers.RefuseAsync(context, StatusCodes.Status400BadRequest, $"buckets: a power of two from 1 to {BucketsMax} is possible.").ConfigureAwait(false);
            return;
        }

        Task answer = await data.FindTableAsync(guest, (int)buckets, context.RequestAborted).ConfigureAwait(false) is { } table
            ? DashboardAnswers.WriteAsync(context, table, DashboardJson.Default.DashboardTable)
            : DashboardAnswers.RefuseAsync(context, StatusCodes.Status404NotFound, $"There is no guest {guest} with a version table.");
        await answer.ConfigureAwait(false);
    }

    private static async Task AnswerStaleAsync(HttpContext context, IDashboardData data)
    {
        DashboardStalePage? page = await data.FindStaleAsync(
            ReadText(context, "guest"), ReadText(context, "after"), StalePageEntries, context.RequestAborted).ConfigureAwait(false);
        Task answer = page is not null
            ? DashboardAnswers.WriteAsync(context, page, DashboardJson.Default.DashboardStalePage)
            : DashboardAnswers.RefuseAsync(context, StatusCodes.Status404NotFound, "There is no such guest, or no such place in the list.");
        await answer.ConfigureAwait(false);
    }

    /// <summary>What is missing or empty is null.</summary>
    private static string? ReadText(HttpContext context, string name) => context.Request.Query[name].ToString() is { Length: > 0 } text ? text : null;

    /// <returns>-1 for what is no number.</returns>
    private static long ReadNumber(HttpContext context, string name, long missing) => ReadText(context, name) switch
    {
        null => missing,
        { } text => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long number) ? number : -1,
    };
}
