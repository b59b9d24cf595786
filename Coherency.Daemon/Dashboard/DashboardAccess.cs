using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Coherency.Daemon.Dashboard;

/// <summary>
/// The right to see the dashboard. Whoever may use the admin socket is given an address with a token, which a page exchanges
/// for a cookie. Both are random and end with the daemon.
/// </summary>
internal sealed class DashboardAccess
{
    private const int SecretBytes = 32;

    private readonly string _token = MakeSecret();
    private readonly string _cookie = MakeSecret();

    /// <summary>Where the dashboard listens; its port is known once it does.</summary>
    public ListenOptions? ListenOptions { private get; set; }

    /// <summary>
    /// The address that lets a browser in, with a token: only for those who may use the admin socket. The token stands behind a
    /// "#": browsers send it to nobody.
    /// </summary>
    public Uri Address => new($"http://{ListenOptions!.IPEndPoint}/sign-in#token={_token}");

    /// <summary>The value of a cookie that <see cref="IsCookie"/> knows, for the right token; otherwise null.</summary>
    public string? Exchange(string? token) => AreEqual(token, _token) ? _cookie : null;

    public bool IsCookie(string? value) => AreEqual(value, _cookie);

    /// <summary>Takes the same time for every wrong secret.</summary>
    private static bool AreEqual(string? given, string secret) =>
        given is not null && CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(given), Encoding.UTF8.GetBytes(secret));

    private static string MakeSecret() => Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(SecretBytes));
}
