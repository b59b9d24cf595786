using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace Coherency.Tests.Dashboard;

/// <summary>The page while the daemon is away, started again, or nobody looks.</summary>
[Trait("Category", "Browser")]
[Collection(BrowserTests.Name)]
public sealed class ConnectionTests(Browser browser) : IAsyncLifetime
{
    private ServedDashboard _served = null!;
    private DashboardPage _dashboard = null!;

    private IPage Page => _dashboard.Page;

    public async Task InitializeAsync()
    {
        _served = await ServedDashboard.StartAsync();
        _dashboard = await DashboardPage.OpenAsync(browser, _served);
    }

    public async Task DisposeAsync()
    {
        await _dashboard.DisposeAsync();
        await _served.DisposeAsync();
    }

    [Fact]
    public async Task The_page_tells_that_no_answer_comes_and_goes_on_when_one_does()
    {
        await Page.Context.SetOfflineAsync(true);
        await _dashboard.IsAsync("lost");
        await Expect(Page.Locator("#notice")).ToContainTextAsync("does not answer");
        await Expect(_dashboard.Row("guests", "web-1")).ToBeVisibleAsync();
        await Expect(Page.GetByRole(AriaRole.Button, new() { Name = "Try now" })).ToBeVisibleAsync();

        _served.Data.Change("web-1", guest => guest.HeldEntries = 77);
        await Page.Context.SetOfflineAsync(false);

        // Not a click, for which the button may be gone: the page asks by itself too.
        await Page.Locator("#retry").DispatchEventAsync("click");
        await _dashboard.IsAsync("live");
        await Expect(Page.Locator("#notice")).ToBeHiddenAsync();
        await Expect(_dashboard.Row("guests", "web-1")).ToContainTextAsync("77");
    }

    [Fact]
    public async Task It_asks_again_by_itself()
    {
        await Page.Context.SetOfflineAsync(true);
        await _dashboard.IsAsync("lost");
        await Page.Context.SetOfflineAsync(false);
        await _dashboard.IsAsync("live");
    }

    [Fact]
    public async Task After_a_restart_a_new_address_in_the_same_tab_is_enough()
    {
        int port = _served.Origin.Port;
        await _served.StopAsync();
        await _dashboard.IsAsync("lost");
        await _served.RestartAsync(port);
        await _dashboard.IsAsync("ended");
        await Expect(Page.Locator("#notice")).ToContainTextAsync("coherencyd admin dashboard");

        await Page.EvaluateAsync("hash => { location.hash = hash; }", _served.Address.Fragment);
        await _dashboard.IsAsync("live");
        Assert.DoesNotContain("token", Page.Url, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_paused_page_asks_nothing()
    {
        await Page.GetByRole(AriaRole.Button, new() { Name = "Pause" }).ClickAsync();
        await _dashboard.IsAsync("paused");
        int before = _dashboard.CountQuestions();
        await SetHiddenAsync(true);
        await SetHiddenAsync(false);
        await AssertSilentAsync(before);
        await Page.GetByRole(AriaRole.Button, new() { Name = "Resume" }).ClickAsync();
        await _dashboard.IsAsync("live");
    }

    [Fact]
    public async Task A_hidden_page_asks_nothing()
    {
        await SetHiddenAsync(true);
        int before = _dashboard.CountQuestions();
        await AssertSilentAsync(before);
        await SetHiddenAsync(false);
        await Page.WaitForRequestAsync("**/api/guests");
        Assert.True(_dashboard.CountQuestions() > before);
    }

    /// <summary>That nothing happens can only be waited for: three times as long as the page waits between its questions.</summary>
    private async Task AssertSilentAsync(int before)
    {
        await Task.Delay(TimeSpan.FromSeconds(3));
        Assert.Equal(before, _dashboard.CountQuestions());
    }

    /// <summary>A headless browser never hides a page, so it is told that it did.</summary>
    private async Task SetHiddenAsync(bool hidden) => await Page.EvaluateAsync(
        "hidden => { Object.defineProperty(document, 'hidden', { value: hidden, configurable: true }); document.dispatchEvent(new " +
        "Event('visibilitychange')); }",
        hidden);
}
