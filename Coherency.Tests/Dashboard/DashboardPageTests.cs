using Google.Protobuf.WellKnownTypes;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;
using V1 = Coherency.Admin.V1;

namespace Coherency.Tests.Dashboard;

/// <summary>What the page shows, and that it goes on showing what is so.</summary>
[Trait("Category", "Browser")]
[Collection(BrowserTests.Name)]
public sealed class DashboardPageTests(Browser browser) : IAsyncLifetime
{
    private const string AmountOfRed = "canvas => { const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', { " +
        "willReadFrequently: true }); copy.drawImage(canvas, 0, 0); const all = copy.getImageData(0, 0, canvas.width, " +
        "canvas.height).data; let red = 0; for (let i = 0; i < all.length; i += 4) red += all[i] - all[i + 2] > 60 ? 1 : 0; return red; }";

    private ServedDashboard _served = null!;
    private DashboardPage _dashboard = null!;

    private IPage Page => _dashboard.Page;

    private ScriptedData Data => _served.Data;

    public async Task InitializeAsync()
    {
        _served = await ServedDashboard.StartAsync();
        _dashboard = await DashboardPage.OpenAsync(browser, _served);
    }

    public async Task DisposeAsync()
    {
        await _dashboard.DisposeAsync();
        await _served.DisposeAsync();
        Assert.Empty(_dashboard.Errors);
        Assert.Empty(_dashboard.Strays);
    }

    [Fact]
    public async Task Every_guest_has_a_row()
    {
        await Expect(Page.Locator("#guest-rows tr")).ToHaveCountAsync(4);
        await Expect(_dashboard.Row("guests", "web-1")).ToContainTextAsync("Mounted");
        await Expect(_dashboard.Row("guests", "web-1")).ToContainTextAsync("99.7%");
        await Expect(_dashboard.Row("guests", "web-2")).ToContainTextAsync("not known");
        await Expect(_dashboard.Row("guests", "build")).ToContainTextAsync("timeouts (auto)");
        await Expect(_dashboard.Row("guests", "spare")).ToContainTextAsync("Not connected");
        await Expect(Page.Locator("#tile-mounted")).ToHaveTextAsync("3 of 4");
    }

    [Fact]
    public async Task A_change_shows_without_a_reload()
    {
        Data.Change("spare", guest =>
        {
            guest.State = V1.GuestState.Draining;
            guest.HeldEntries = 12_345;
        });
        await Expect(_dashboard.Row("guests", "spare")).ToContainTextAsync("Draining");
        await Expect(_dashboard.Row("guests", "spare")).ToContainTextAsync("12,345");
        await Expect(Page.Locator("#announcements")).ToContainTextAsync("spare is now draining");

        Data.Guests = [.. Data.Guests.Where(guest => guest.Name != "spare"), ScriptedData.Guest("new")];
        await Expect(_dashboard.Row("guests", "spare")).ToHaveCountAsync(0);
        await Expect(_dashboard.Row("guests", "new")).ToHaveCountAsync(1);
    }

    [Fact]
    public async Task A_late_heartbeat_is_told_in_words()
    {
        Data.Change("web-2", guest => guest.HeartbeatAge = Duration.FromTimeSpan(TimeSpan.FromSeconds(5.3)));
        await Expect(_dashboard.Row("guests", "web-2")).ToContainTextAsync("5.3\u00a0s (late)");
        await Expect(Page.Locator("#tile-heartbeat-box")).ToHaveAttributeAsync("data-level", "bad");
    }

    [Fact]
    public async Task Request_rates_are_drawn_and_told()
    {
        for (int i = 0; i < 4; i++)
        {
            string? line = await Page.Locator(".line").First.GetAttributeAsync("d");
            Data.Change("web-1", guest => guest.Requests += 5_000);
            await Expect(Page.Locator(".line").First).Not.ToHaveAttributeAsync("d", line ?? "");
        }

        await Page.GetByText("The same as a table").ClickAsync();
        await Expect(_dashboard.Row("requests", "web-1").Locator("td").Last).Not.ToHaveTextAsync("\u2013");
        await Page.GetByRole(AriaRole.Slider, new() { Name = "Moment in the chart" }).FocusAsync();
        await Page.Keyboard.PressAsync("ArrowLeft");
        await Expect(Page.Locator("#rates-span")).ToContainTextAsync("ago");
        await Expect(Page.Locator("#rates-plot svg")).ToHaveAttributeAsync(
            "aria-valuetext", new System.Text.RegularExpressions.Regex("web-1"));
    }

    [Fact]
    public async Task The_heat_map_shows_which_slots_move()
    {
        ILocator map = Page.Locator("#heat");
        await Expect(Page.Locator("#heat-summary")).ToHaveTextAsync("0 of 1,024 runs moved, 0 moves.");
        Assert.Equal(0, await map.EvaluateAsync<int>(AmountOfRed));

        Data.Move("web-1", slot: 1_000, times: 20);
        await Expect(Page.Locator("#heat-summary")).ToHaveTextAsync("1 of 1,024 runs moved, 20 moves.");
        await Expect(Page.Locator("#heat-rows tr")).ToContainTextAsync(["768\u20131,023"]);
        Assert.NotEqual(0, await map.EvaluateAsync<int>(AmountOfRed));
    }

    [Fact]
    public async Task A_cell_of_the_heat_map_can_be_read_by_keyboard_and_pointer()
    {
        Data.Move("web-1", slot: 256, times: 7);
        await Expect(Page.Locator("#heat-rows tr")).ToHaveCountAsync(1);
        ILocator map = Page.GetByRole(AriaRole.Slider, new() { Name = "Cell of the heat map" });
        await map.FocusAsync();
        await Page.Keyboard.PressAsync("Home");
        await Page.Keyboard.PressAsync("ArrowRight");
        await Expect(map).ToHaveAttributeAsync("aria-valuetext", "Slots 256\u2013511: 7 moves lately, 7 since opened");
        await Expect(Page.Locator("#heat-read")).ToHaveTextAsync("Slots 256\u2013511: 7 moves lately, 7 since opened");

        await map.HoverAsync(new() { Position = new Position { X = 2, Y = 2 } });
        await Expect(Page.Locator("#heat-read")).ToContainTextAsync("Slots 0\u2013255: 0 moves lately");
    }

    [Theory]
    [InlineData("256", "0 of 256 runs moved, 0 moves.")]
    [InlineData("4096", "0 of 4,096 runs moved, 0 moves.")]
    public async Task The_heat_map_has_as_many_cells_as_asked_for(string cells, string summary)
    {
        await Page.GetByLabel("Cells").SelectOptionAsync(cells);
        await Expect(Page.Locator("#heat-summary")).ToHaveTextAsync(summary);
    }

    [Fact]
    public async Task A_guest_is_chosen_for_the_table_by_its_name()
    {
        Data.Move("web-2", slot: 3, times: 9);
        await Page.GetByRole(AriaRole.Button, new() { Name = "web-2", Exact = true }).ClickAsync();
        await Expect(Page.Locator("#table-guest")).ToHaveValueAsync("web-2");
        await Expect(Page.Locator("#heat-rows tr")).ToHaveCountAsync(0);
        await Expect(Page.Locator("#table-facts")).ToContainTextAsync("Total moves9");
        await Expect(
            _dashboard.Row("guests", "build").GetByRole(AriaRole.Button, new() { Name = "build", Exact = true })).ToBeDisabledAsync();
    }

    [Fact]
    public async Task Without_tables_the_page_says_so()
    {
        Data.Guests = [ScriptedData.Guest("plain", ScriptedData.WithoutTable)];
        await Expect(Page.Locator("#table-missing")).ToContainTextAsync("No guest has a version table");

        // The browser writes down that the table which it asked for was gone.
        Assert.All(_dashboard.Errors, error => Assert.Contains("404", error, StringComparison.Ordinal));
        _dashboard.Errors.Clear();
    }

    [Fact]
    public async Task The_shares_show_how_host_changes_are_noticed()
    {
        await Expect(_dashboard.Row("shares", "/srv/code")).ToContainTextAsync("fanotify");
        await Expect(_dashboard.Row("shares", "/srv/code")).ToContainTextAsync("46\u00a0\u00b5s");
        Data.Shares = [new V1.Share { Directory = "/srv/code", HostWatch = V1.HostWatch.None, EventsLost = 2 }];
        await Expect(_dashboard.Row("shares", "/srv/code")).ToContainTextAsync("host changes are not seen");
    }

    [Fact]
    public async Task Latency_and_errors_are_those_since_the_page_was_opened()
    {
        Data.Change("web-1", guest => ScriptedData.AddRequests(guest, "LOOKUP", 1_000_000, TimeSpan.FromSeconds(1), ("EIO", 7)));
        await Page.ReloadAsync();
        await _dashboard.IsAsync("live");
        await Expect(Page.Locator("#tile-errors")).ToHaveTextAsync("0");
        await Expect(Page.Locator("#operations-empty")).ToBeVisibleAsync();

        Data.Change("web-1", guest => ScriptedData.AddRequests(guest, "GETATTR", 100, TimeSpan.FromMicroseconds(20)));
        Data.Change("web-2", guest =>
        {
            ScriptedData.AddRequests(guest, "LOOKUP", 98, TimeSpan.FromMicroseconds(5));
            ScriptedData.AddRequests(guest, "WRITE", 2, TimeSpan.FromMilliseconds(500), ("ENOSPC", 2));
        });
        // Of a bucket that ends at 20 us and begins at 10, half of the requests and 99 of 100.
        await Expect(_dashboard.Row("guests", "web-1")).ToContainTextAsync("15\u00a0\u00b5s");
        await Expect(_dashboard.Row("guests", "web-1")).ToContainTextAsync("20\u00a0\u00b5s");
        await Expect(Page.Locator("#tile-slowest-note")).ToHaveTextAsync("web-2");
        await Expect(Page.Locator("#tile-slowest")).ToHaveTextAsync("350\u00a0ms");
        await Expect(Page.Locator("#tile-errors")).ToHaveTextAsync("2");
        await Expect(Page.Locator("#tile-errors-note")).ToHaveTextAsync("most: web-2");
        await Expect(Page.Locator("#operation-rows tr").First).ToContainTextAsync("WRITE");
        await Expect(_dashboard.Row("operations", "WRITE")).ToContainTextAsync("ENOSPC 2");
        await Page.Locator("#operations-guest").SelectOptionAsync("web-1");
        await Expect(Page.Locator("#operation-rows tr")).ToHaveCountAsync(1);
        await Expect(_dashboard.Row("operations", "GETATTR")).ToContainTextAsync("100.0%");
    }

    [Fact]
    public async Task Guests_are_ordered_as_asked()
    {
        await Expect(Page.Locator("#guest-rows tr").First).ToContainTextAsync("web-1");
        Data.Change("build", guest => ScriptedData.AddRequests(guest, "READ", 10, TimeSpan.FromMilliseconds(5), ("EIO", 1)));
        foreach (string order in (string[])["p99", "errors"])
        {
            await Page.Locator("#guest-order").SelectOptionAsync("");
            await Expect(Page.Locator("#guest-rows tr").First).ToContainTextAsync("web-1");
            await Page.Locator("#guest-order").SelectOptionAsync(order);
            await Expect(Page.Locator("#guest-rows tr").First).ToContainTextAsync("build");
        }
    }

    [Fact]
    public async Task The_operators_questions_come_before_the_slots() => Assert.Equal(
        ["guests", "stale", "operations", "requests", "shares", "table"],
        await Page.EvaluateAsync<string[]>("[...document.querySelectorAll('main > section.card')].map(section => section.id)"));
}
