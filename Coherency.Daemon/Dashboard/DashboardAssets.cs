using System.Reflection;
using Microsoft.AspNetCore.Http;

namespace Coherency.Daemon.Dashboard;

/// <summary>The files of <c>Page/</c>, out of the program itself.</summary>
internal sealed class DashboardAssets
{
    public const string Index = "/index.html";
    public const string SignIn = "/sign-in.html";

    private const string Prefix = "dashboard/";

    /// <summary>What signing in shows; the code of the page itself is for those who may see it.</summary>
    private static readonly string[] Public =
    [
        "/icon.svg", "/styles/theme.css", "/styles/page.css", "/scripts/theme.js", "/scripts/session.js", "/scripts/sign-in.js",
    ];

    private readonly Dictionary<string, byte[]> _files = ReadAll();

    public IEnumerable<string> Paths => _files.Keys;

    public static bool IsPublic(string path) => Public.Contains(path, StringComparer.Ordinal);

    public Task WriteAsync(HttpContext context, string path)
    {
        byte[] content = _files[path];
        context.Response.ContentType = TypeOf(path);
        context.Response.ContentLength = content.Length;
        return context.Response.Body.WriteAsync(content, context.RequestAborted).AsTask();
    }

    private static string TypeOf(string path) => Path.GetExtension(path) switch
    {
        ".html" => "text/html; charset=utf-8",
        ".css" => "text/css; charset=utf-8",
        ".js" => "text/javascript; charset=utf-8",
        ".svg" => "image/svg+xml",
        _ => "application/octet-stream",
    };

    private static Dictionary<string, byte[]> ReadAll()
    {
        Assembly program = typeof(DashboardAssets).Assembly;
        return program.GetManifestResourceNames()
            .Where(name => name.StartsWith(Prefix, StringComparison.Ordinal))
            .ToDictionary(name => "/" + name[Prefix.Length..], name => Read(program, name));
    }

    private static byte[] Read(Assembly program, string name)
    {
        using Stream resource = program.GetManifestResourceStream(name)!;
        byte[] content = new byte[resource.Length];
        resource.ReadExactly(content);
        return content;
    }
}
