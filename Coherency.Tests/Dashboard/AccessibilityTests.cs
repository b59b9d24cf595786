using Deque.AxeCore.Commons;
using Deque.AxeCore.Playwright;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace Coherency.Tests.Dashboard;

/// <summary>Whether everybody can use the page; the rules are axe's, and those in accessibility.js that it does not have.</summary>
[Trait("Category", "Browser")]
[Collection(BrowserTests.Name)]
public sealed class AccessibilityTests(Browser browser) : IAsyncLifetime
{
    /// <summary>More than the page has controls: who tabs that often has been everywhere.</summary>
    private const int TabsMax = 60;

    private static readonly string Rules = File.ReadAllText(
        Path.Combine(Repository.Root, "Coherency.Tests", "Dashboard", "accessibility.js"));

    private BusyDaemon _daemon = null!;

    public async Task InitializeAsync() => _daemon = await BusyDaemon.StartAsync();

    public Task DisposeAsync() => _daemon.DisposeAsync().AsTask();

    [Theory]
    [InlineData(ColorScheme.Light, 1280)]
    [InlineData(ColorScheme.Dark, 1280)]
    [InlineData(ColorScheme.Light, 360)]
    [InlineData(ColorScheme.Dark, 360)]
    public async Task The_page_keeps_the_rules(ColorScheme colours, int width)
    {
        await using DashboardPage dashboard = await OpenAsync(colours, width);
        await dashboard.Page.GetByText("The same as a table").ClickAsync();
        Assert.Empty(await dashboard.Page.EvaluateAsync<string[]>(Rules));
        AxeResult axe = await dashboard.Page.RunAxe();
        Assert.Empty(axe.Violations.Select(violation => $"{violation.Id}: {violation.Help}: {violation.Nodes[0].Html}"));
        Assert.NotEmpty(axe.Passes);
    }

    [Theory]
    [InlineData("document.querySelector('caption').remove()", "a table has a caption")]
    [InlineData("document.getElementById('pause').textContent = ''", "a control has a name")]
    [InlineData("document.getElementById('theme').tabIndex = -1", "a control is reached by keyboard")]
    [InlineData("document.getElementById('heat').removeAttribute('aria-label')", "a picture has a name or is hidden")]
    [InlineData("document.getElementById('guests-title').style.color = '#999'", "text has contrast")]
    [InlineData("document.querySelector('.line').style.stroke = '#eee'", "a line has contrast")]
    [InlineData("document.getElementById('pause').style.borderColor = '#ddd'", "the edge of a control has contrast")]
    [InlineData(
        "document.querySelector('nav').removeAttribute('aria-label'); document.querySelector('nav').textContent = ''",
        "a navigation has a name")]
    [InlineData("document.querySelector('main').before(document.createElement('main'))", "there is one main")]
    [InlineData("document.querySelector('nav a').style.cssText = 'padding: 0; line-height: 1'", "a target has 24 pixels")]
    public async Task A_breach_is_found(string change, string rule)
    {
        await using DashboardPage dashboard = await OpenAsync(ColorScheme.Light);
        await dashboard.Page.EvaluateAsync(change);
        Assert.Contains(await dashboard.Page.EvaluateAsync<string[]>(Rules), breach => breach.StartsWith(rule, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Every_control_is_reached_by_keyboard_and_shows_it()
    {
        await using DashboardPage dashboard = await OpenAsync(ColorScheme.Light);
        IPage page = dashboard.Page;
        List<string> reached = [];
        for (int i = 0; i < TabsMax; i++)
        {
            await page.Keyboard.PressAsync("Tab");
            string focus = await page.EvaluateAsync<string>(
                "(() => { const at = document.activeElement; return at === document.body ? '' : (at.id || at.textContent.trim()); })()");
            if (focus.Length == 0)
            {
                break;
            }

            Assert.Equal("solid", await page.EvaluateAsync<string>("getComputedStyle(document.activeElement).outlineStyle"));
            reached.Add(focus);
        }

        Assert.Equal("Skip to the content", reached[0]);
        foreach (string control in (string[])["Guests", "pause", "theme", "web-1", "guest-order", "table-guest", "table-buckets", "heat",
            "stale-guest", "operations-guest", "The same as a table"])
        {
            Assert.Contains(control, reached);
        }
    }

    [Fact]
    public async Task The_skip_link_leads_to_the_content()
    {
        await using DashboardPage dashboard = await OpenAsync(ColorScheme.Light);
        await dashboard.Page.Keyboard.PressAsync("Tab");
        await dashboard.Page.Keyboard.PressAsync("Enter");
        await Expect(dashboard.Page.Locator("#main")).ToBeFocusedAsync();
    }

    [Fact]
    public async Task Focus_survives_updates()
    {
        await using DashboardPage dashboard = await OpenAsync(ColorScheme.Light);
        ILocator name = dashboard.Page.GetByRole(AriaRole.Button, new() { Name = "web-2", Exact = true });
        await name.FocusAsync();
        string before = await dashboard.Page.Locator("#tile-rate-note").TextContentAsync() ?? "";
        _daemon.Served.Data.Guests = [.. _daemon.Served.Data.Guests.Where(guest => guest.Name != "web-1"), ScriptedData.Guest("late")];
        await Expect(dashboard.Row("guests", "late")).ToBeVisibleAsync();
        await Expect(dashboard.Page.Locator("#tile-rate-note")).Not.ToHaveTextAsync(before);
        await Expect(name).ToBeFocusedAsync();
    }

    [Fact]
    public async Task Nothing_moves_for_those_who_do_not_want_it()
    {
        await using DashboardPage dashboard = await OpenAsync(ColorScheme.Light);
        Assert.Equal(0, await dashboard.Page.EvaluateAsync<int>("document.getAnimations().length"));
        Assert.Equal("auto", await dashboard.Page.EvaluateAsync<string>("getComputedStyle(document.documentElement).scrollBehavior"));
    }

    [Fact]
    public async Task The_theme_follows_the_system_until_somebody_chooses()
    {
        const string Ground = "getComputedStyle(document.body).backgroundColor";
        await using DashboardPage dashboard = await OpenAsync(ColorScheme.Dark);
        string dark = await dashboard.Page.EvaluateAsync<string>(Ground);
        await dashboard.Page.EmulateMediaAsync(new() { ColorScheme = ColorScheme.Light });
        await Expect(dashboard.Page.Locator("body")).Not.ToHaveCSSAsync("background-color", dark);

        await dashboard.Page.GetByRole(AriaRole.Button, new() { Name = "Dark theme" }).ClickAsync();
        Assert.Equal(dark, await dashboard.Page.EvaluateAsync<string>(Ground));
        await dashboard.Page.ReloadAsync();
        await dashboard.IsAsync("live");
        Assert.Equal(dark, await dashboard.Page.EvaluateAsync<string>(Ground));
        await Expect(dashboard.Page.GetByRole(AriaRole.Button, new() { Name = "Light theme" })).ToBeVisibleAsync();
    }

    private async Task<DashboardPage> OpenAsync(ColorScheme colours, int width = 1280)
    {
        DashboardPage dashboard = await DashboardPage.OpenAsync(browser, _daemon.Served, width, colours: colours);
        await Expect(dashboard.Page.Locator("#heat-rows tr")).Not.ToHaveCountAsync(0);
        return dashboard;
    }
}
