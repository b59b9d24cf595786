using System.Net;
using System.Net.Http.Headers;
using Coherency.Daemon.Commands;
using Coherency.Daemon.Configuration;
using Coherency.Daemon.Dashboard;
using Coherency.Daemon.Hosting;
using Coherency.Daemon.Reports;
using Microsoft.Extensions.Logging;

namespace Coherency.Tests.Dashboard;

/// <summary>Who may see the dashboard.</summary>
public sealed class AccessTests : IAsyncLifetime, IDisposable
{
    private readonly HttpClient _client = new(new HttpClientHandler { UseCookies = false, AllowAutoRedirect = false });
    private ServedDashboard _served = null!;

    public async Task InitializeAsync()
    {
        _served = await ServedDashboard.StartAsync();
        _client.BaseAddress = _served.Origin;
    }

    public Task DisposeAsync() => _served.DisposeAsync().AsTask();

    public void Dispose() => _client.Dispose();

    private string Token => _served.Address.Fragment["#token=".Length..];

    [Theory]
    [InlineData("/")]
    [InlineData("/api/guests")]
    [InlineData("/api/stale")]
    [InlineData("/scripts/main.js")]
    [InlineData("/nothing")]
    public async Task Without_the_cookie_the_answer_says_what_to_run(string path)
    {
        using HttpResponseMessage answer = await _client.GetAsync(path);
        Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
        Assert.Contains("coherencyd admin dashboard", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("wrong")]
    [InlineData("")]
    [InlineData(null)]
    public async Task A_wrong_token_gives_no_cookie(string? token)
    {
        using HttpResponseMessage answer = await ExchangeAsync(token);
        Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
        Assert.False(answer.Headers.Contains("Set-Cookie"));
    }

    [Fact]
    public async Task The_token_gives_a_cookie_that_lets_in()
    {
        string cookie = await SignInAsync();
        Assert.Contains("httponly", cookie, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("samesite=strict", cookie, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain(Token, cookie, StringComparison.Ordinal);
        using HttpResponseMessage answer = await AskAsync("/api/guests", cookie);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Contains("\"web-1\"", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_token_itself_is_no_cookie()
    {
        using HttpResponseMessage answer = await AskAsync("/api/guests", $"{DashboardGuard.CookieName}={Token}");
        Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
    }

    [Theory]
    [InlineData("evil.example", HttpStatusCode.MisdirectedRequest)]
    [InlineData("127.0.0.1.evil.example:80", HttpStatusCode.MisdirectedRequest)]
    [InlineData("localhost", HttpStatusCode.OK)]
    [InlineData("LOCALHOST:9000", HttpStatusCode.OK)]
    [InlineData("[::1]:9000", HttpStatusCode.OK)]
    public async Task Only_names_of_the_loopback_are_answered(string host, HttpStatusCode expected)
    {
        using HttpResponseMessage answer = await AskAsync("/api/guests", await SignInAsync(), request => request.Headers.Host = host);
        Assert.Equal(expected, answer.StatusCode);
    }

    [Theory]
    [InlineData("POST")]
    [InlineData("PUT")]
    [InlineData("DELETE")]
    [InlineData("OPTIONS")]
    [InlineData("HEAD")]
    public async Task Only_GET_is_answered(string method)
    {
        using HttpResponseMessage answer = await AskAsync(
            "/api/guests",
            await SignInAsync(),
            request => request.Method = new HttpMethod(method));
        Assert.Equal(HttpStatusCode.MethodNotAllowed, answer.StatusCode);
        Assert.Equal(["GET"], answer.Content.Headers.Allow);
    }

    [Theory]
    [InlineData("cross-site", "no-cors", HttpStatusCode.Forbidden)]
    [InlineData("same-site", "cors", HttpStatusCode.Forbidden)]
    [InlineData("same-origin", "cors", HttpStatusCode.OK)]
    [InlineData("cross-site", "navigate", HttpStatusCode.OK)]
    public async Task Other_sites_get_nothing(string site, string mode, HttpStatusCode expected)
    {
        using HttpResponseMessage answer = await AskAsync("/api/guests", await SignInAsync(), Send);
        Assert.Equal(expected, answer.StatusCode);
        Assert.False(answer.Headers.Contains("Access-Control-Allow-Origin"));

        void Send(HttpRequestMessage request)
        {
            request.Headers.Add("Sec-Fetch-Site", site);
            request.Headers.Add("Sec-Fetch-Mode", mode);
            request.Headers.Add("Origin", "http://evil.example");
        }
    }

    [Theory]
    [InlineData("/")]
    [InlineData("/sign-in")]
    [InlineData("/api/guests")]
    public async Task Every_answer_has_the_policy(string path)
    {
        using HttpResponseMessage answer = await AskAsync(path, await SignInAsync());
        string policy = Assert.Single(answer.Headers.GetValues("Content-Security-Policy"));
        Assert.StartsWith("default-src 'none';", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("unsafe", policy, StringComparison.Ordinal);
        Assert.Equal(["nosniff"], answer.Headers.GetValues("X-Content-Type-Options"));
        Assert.True(answer.Headers.CacheControl?.NoStore);
        Assert.False(answer.Headers.Contains("Server"));
    }

    [Theory]
    [InlineData("/api/table/web-1?buckets=300000", HttpStatusCode.BadRequest)]
    [InlineData("/api/table/web-1?buckets=-1", HttpStatusCode.BadRequest)]
    [InlineData("/api/table/web-1?buckets=many", HttpStatusCode.BadRequest)]
    [InlineData("/api/table/web-1?buckets=4096", HttpStatusCode.OK)]
    [InlineData("/api/table/nobody", HttpStatusCode.NotFound)]
    [InlineData("/api/stale?guest=nobody", HttpStatusCode.NotFound)]
    [InlineData("/api/stale?after=nonsense", HttpStatusCode.BadRequest)]
    [InlineData("/api/rates?after=99999999999999999999", HttpStatusCode.BadRequest)]
    [InlineData("/scripts/../index.html", HttpStatusCode.NotFound)]
    [InlineData("/nothing", HttpStatusCode.NotFound)]
    public async Task Questions_that_make_no_sense_are_refused(string question, HttpStatusCode expected)
    {
        using HttpResponseMessage answer = await AskAsync(question, await SignInAsync());
        Assert.Equal(expected, answer.StatusCode);
    }

    [Fact]
    public async Task A_port_that_is_in_use_is_told()
    {
        UsageException failure = await Assert.ThrowsAsync<UsageException>(() =>
            ServedDashboard.StartAsync(_served.Data, new RequestHistory(TimeProvider.System), _served.Origin.Port));
        Assert.StartsWith($"--dashboard 127.0.0.1:{_served.Origin.Port}: ", failure.Message, StringComparison.Ordinal);
        Assert.Contains("in use", failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("9120", "127.0.0.1:9120")]
    [InlineData("localhost:9120", "127.0.0.1:9120")]
    [InlineData("127.8.8.8:9120", "127.8.8.8:9120")]
    [InlineData("[::1]:9120", "[::1]:9120")]
    public void A_loopback_address_is_possible(string text, string expected) =>
        Assert.Equal(expected, DashboardAddress.Parse(text).ToString());

    [Theory]
    [InlineData("0.0.0.0:9120")]
    [InlineData("[::]:9120")]
    [InlineData("192.0.2.1:9120")]
    [InlineData("host.example:9120")]
    [InlineData("70000")]
    [InlineData("127.0.0.1")]
    [InlineData("::1")]
    [InlineData("[::1]")]
    [InlineData("")]
    [InlineData("-1")]
    public void Any_other_is_refused(string text) =>
        Assert.StartsWith(
            $"--dashboard {text}: ", Assert.Throws<UsageException>(() => DashboardAddress.Parse(text)).Message, StringComparison.Ordinal);

    private async Task<string> SignInAsync()
    {
        using HttpResponseMessage answer = await ExchangeAsync(Token);
        Assert.Equal(HttpStatusCode.NoContent, answer.StatusCode);
        return Assert.Single(answer.Headers.GetValues("Set-Cookie"));
    }

    private async Task<HttpResponseMessage> ExchangeAsync(string? token)
    {
        using HttpRequestMessage request = new(HttpMethod.Get, "/session");
        request.Headers.Authorization = token is null ? null : new AuthenticationHeaderValue("Bearer", token);
        return await _client.SendAsync(request);
    }

    private async Task<HttpResponseMessage> AskAsync(string path, string cookie, Action<HttpRequestMessage>? change = null)
    {
        using HttpRequestMessage request = new(HttpMethod.Get, path);
        request.Headers.Add("Cookie", cookie.Split(';')[0]);
        change?.Invoke(request);
        return await _client.SendAsync(request);
    }
}
