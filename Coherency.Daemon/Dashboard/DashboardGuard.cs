using System.Net;
using Microsoft.AspNetCore.Http;

namespace Coherency.Daemon.Dashboard;

/// <summary>
/// What every request of the dashboard passes first. It names the loopback (a foreign name would be an attack by DNS
/// rebinding), reads only, comes from no other site, and has the cookie, unless it is for what signing in needs.
/// </summary>
internal sealed class DashboardGuard(DashboardAccess access, DashboardAssets assets)
{
    /// <summary>Cookies are not separated by port, so that other servers of this address have other names for theirs.</summary>
    public const string CookieName = "coherencyd-dashboard";

    private const string Policy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action " +
        "'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

    public Task InvokeAsync(HttpContext context, RequestDelegate next)
    {
        AddHeaders(context.Response.Headers);
        HttpRequest request = context.Request;
        if (!IsLoopback(request.Host.Host))
        {
            return DashboardAnswers.RefuseAsync(
                context, StatusCodes.Status421MisdirectedRequest, "Use the address that 'coherencyd admin dashboard' prints.");
        }

        if (!HttpMethods.IsGet(request.Method))
        {
            context.Response.Headers.Allow = HttpMethods.Get;
            return DashboardAnswers.RefuseAsync(context, StatusCodes.Status405MethodNotAllowed, "Only GET is possible.");
        }

        if (ComesFromElsewhere(request.Headers))
        {
            return DashboardAnswers.RefuseAsync(context, StatusCodes.Status403Forbidden, "Other sites may not ask.");
        }

        if (NeedsNoCookie(request.Path) || access.IsCookie(request.Cookies[CookieName]))
        {
            return next(context);
        }

        context.Response.StatusCode = StatusCodes.Status401Unauthorized;
        return request.Path.StartsWithSegments("/api", StringComparison.Ordinal)
            ? DashboardAnswers.RefuseAsync(
                context, StatusCodes.Status401Unauthorized, "Run 'coherencyd admin dashboard' and open the address that it prints.")
            : assets.WriteAsync(context, DashboardAssets.SignIn);
    }

    /// <summary>An address cannot be bound anew, and browsers never look up "localhost". Any port is right: it may be a tunnel's.</summary>
    private static bool IsLoopback(string host) =>
        host.Equals("localhost", StringComparison.OrdinalIgnoreCase) || (
            IPAddress.TryParse(host, out IPAddress? address) && IPAddress.IsLoopback(address));

    /// <summary>Opening a link from anywhere is harmless; requests that another page makes are not.</summary>
    private static bool ComesFromElsewhere(IHeaderDictionary headers) =>
        headers["Sec-Fetch-Site"].ToString() is "cross-site" or "same-site" && headers["Sec-Fetch-Mode"] != "navigate";

    private static bool NeedsNoCookie(PathString path) =>
        path == "/sign-in" || path == "/session" || DashboardAssets.IsPublic(path.Value ?? "");

    private static void AddHeaders(IHeaderDictionary headers)
    {
        headers.ContentSecurityPolicy = Policy;
        headers.XContentTypeOptions = "nosniff";
        headers.CacheControl = "no-store";
        headers["Referrer-Policy"] = "no-referrer";
        headers["Cross-Origin-Opener-Policy"] = "same-origin";
        headers["Cross-Origin-Resource-Policy"] = "same-origin";
    }
}
