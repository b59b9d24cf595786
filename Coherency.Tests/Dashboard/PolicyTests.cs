using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace Coherency.Tests.Dashboard;

/// <summary>Signing in with a browser, and what the policy of the page forbids there.</summary>
[Trait("Category", "Browser")]
[Collection(BrowserTests.Name)]
public sealed class PolicyTests(Browser browser) : IAsyncLifetime
{
    private ServedDashboard _served = null!;

    public async Task InitializeAsync() => _served = await ServedDashboard.StartAsync();

    public Task DisposeAsync() => _served.DisposeAsync().AsTask();

    [Fact]
    public async Task The_token_leaves_the_address_and_no_script_sees_the_cookie()
    {
        await using DashboardPage dashboard = await DashboardPage.OpenAsync(browser, _served);
        Assert.Equal(_served.Origin.ToString(), dashboard.Page.Url);
        Assert.Equal("", await dashboard.Page.EvaluateAsync<string>("document.cookie"));
        Assert.Empty(dashboard.Strays);
        Assert.Empty(dashboard.Errors);
    }

    [Fact]
    public async Task Whoever_has_no_cookie_is_told_what_to_run()
    {
        await using IBrowserContext window = await browser.OpenAsync(360, 640, ColorScheme.Light);
        IPage page = await window.NewPageAsync();
        IResponse? answer = await page.GotoAsync(_served.Origin.ToString());
        Assert.Equal(401, answer!.Status);
        await Expect(page.Locator("code")).ToHaveTextAsync("coherencyd admin dashboard");

        await page.GotoAsync($"{_served.Origin}sign-in#token=old");
        await Expect(page.GetByRole(AriaRole.Status)).ToContainTextAsync("not valid any more");
        Assert.DoesNotContain("token", page.Url, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(
        "document.head.append(Object.assign(document.createElement('style'), { textContent: 'body { color: red }' }))", "style-src-elem")]
    [InlineData("document.body.setAttribute('style', 'color: red')", "style-src-attr")]
    [InlineData("fetch('http://127.0.0.1:1/').catch(() => {})", "connect-src")]
    [InlineData("document.body.append(Object.assign(new Image(), { src: 'http://127.0.0.1:1/x.png' }))", "img-src")]
    [InlineData("try { document.createElement('p').innerHTML = '<b>x</b>'; } catch { }", "require-trusted-types-for")]
    public async Task The_policy_forbids(string change, string directive)
    {
        await using DashboardPage dashboard = await DashboardPage.OpenAsync(browser, _served);
        Task<string> violation = dashboard.Page.EvaluateAsync<string>(
            "new Promise(resolve => document.addEventListener('securitypolicyviolation', event => resolve(event.effectiveDirective), { " +
            "once: true }))");
        await dashboard.Page.EvaluateAsync($"() => {{ {change}; }}");
        Assert.Equal(directive, await violation.WaitAsync(TimeSpan.FromSeconds(20)));
    }
}
