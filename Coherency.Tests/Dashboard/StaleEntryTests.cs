using System.Diagnostics;
using Coherency.Daemon.Dashboard;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;
using V1 = Coherency.Admin.V1;

namespace Coherency.Tests.Dashboard;

/// <summary>Stale entries on the page: which, since when, and by whom.</summary>
[Trait("Category", "Browser")]
[Collection(BrowserTests.Name)]
public sealed class StaleEntryTests(Browser browser) : IAsyncLifetime
{
    private static readonly V1.Actor Web2 = new() { Guest = "web-2" };

    private ServedDashboard _served = null!;
    private DashboardPage _dashboard = null!;

    private IPage Page => _dashboard.Page;

    private ILocator Rows => Page.Locator("#stale-rows tr");

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
    }

    [Fact]
    public async Task An_entry_comes_with_its_cause_and_goes()
    {
        await Expect(Page.Locator("#stale-empty")).ToBeVisibleAsync();
        _served.Data.Stale = [ScriptedData.Entry("web-1", "src/a.cs", Web2)];
        await Expect(Rows).ToHaveCountAsync(1);
        foreach (string text in (string[])["web-1", "src/a.cs", "Attributes", "1\u00a0min", "web-2", "SETATTR of src/a.cs"])
        {
            await Expect(Rows).ToContainTextAsync(text);
        }

        await Expect(Page.Locator("#tile-stale-note")).ToHaveTextAsync("asked for again before use");
        _served.Data.Stale = [];
        await Expect(Rows).ToHaveCountAsync(0);
    }

    [Fact]
    public async Task Causes_say_no_more_than_is_known()
    {
        _served.Data.Stale =
        [
            ScriptedData.Entry("web-1", "by-git", new V1.Actor { Host = new V1.HostProcess { Pid = 4711, Command = "git" } }),
            ScriptedData.Entry("web-1", "by-somebody", new V1.Actor { Host = new V1.HostProcess() }),
            ScriptedData.Entry("web-1", "forgotten", null, entry => entry.Cause = new V1.Cause()),
            ScriptedData.Entry("web-1", "neighbour", Web2, entry => entry.FalseSharing = true),
            ScriptedData.Entry("web-1", "by-inotify", null),
            ScriptedData.Entry("web-1", "by-admin", new V1.Actor { Admin = "root" }),
            ScriptedData.Entry("web-1", "by-daemon", new V1.Actor { Daemon = "events of the host were lost" }),
        ];
        await Expect(Rows).ToContainTextAsync(
        [
            "git (host, pid 4711)", "A program of the host", "No longer known", "only shares the slot",
            "Not told by the kernel", "Administration (root)", "The daemon: events of the host were lost",
        ]);
        await Expect(Rows.Nth(2)).ToContainTextAsync("at least");
    }

    [Fact]
    public async Task Entries_that_may_be_believed_are_told_apart()
    {
        _served.Data.Stale = [ScriptedData.Entry("build", "x", Web2), ScriptedData.Entry("web-1", "x", Web2)];
        await Expect(Page.Locator("#tile-stale-note")).ToHaveTextAsync("1 may still be believed");
        await Expect(Page.Locator("#announcements")).ToContainTextAsync("1 stale entry may still be believed");
    }

    [Fact]
    public async Task One_guest_is_chosen_by_its_number_of_stale_entries()
    {
        _served.Data.Stale = [ScriptedData.Entry("web-1", "x", Web2), ScriptedData.Entry("build", "y", Web2)];
        await Page.GetByRole(AriaRole.Button, new() { Name = "1 stale entry of build: show" }).ClickAsync();
        await Expect(Page.Locator("#stale-guest")).ToHaveValueAsync("build");
        await Expect(Rows).ToHaveCountAsync(1);
        await Expect(Rows).ToContainTextAsync("build");
    }

    [Fact]
    public async Task Many_entries_come_in_pages()
    {
        IEnumerable<int> files = Enumerable.Range(0, DashboardEndpoints.StalePageEntries + 6);
        _served.Data.Stale = [.. files.Select(i => ScriptedData.Entry("web-1", $"file-{i}", Web2, entry => entry.NodeId = (ulong)i))];
        await Expect(Rows).ToHaveCountAsync(DashboardEndpoints.StalePageEntries);
        await Page.GetByRole(AriaRole.Button, new() { Name = "Next page" }).ClickAsync();
        await Expect(Rows).ToHaveCountAsync(6);
        await Expect(Rows.First).ToContainTextAsync($"file-{DashboardEndpoints.StalePageEntries}");
        await Expect(Page.Locator("#stale-page")).ToHaveTextAsync("Page 2");
        await Page.GetByRole(AriaRole.Button, new() { Name = "First page" }).ClickAsync();
        await Expect(Rows.First).ToContainTextAsync("file-0");
    }

    [Fact]
    public async Task A_list_that_is_refused_says_why_and_is_not_asked_for_without_a_pause()
    {
        _served.Data.RefusesStale = true;
        await Expect(Page.Locator("#stale-empty")).ToHaveTextAsync("this is refused");
        int before = _dashboard.CountQuestions();
        Stopwatch passed = Stopwatch.StartNew();
        _served.Data.RefusesStale = false;
        await Expect(Page.Locator("#stale-empty")).ToHaveTextAsync("Nothing that a guest holds is stale.");
        // A round of five questions each second, not as many as the browser can send.
        int questions = _dashboard.CountQuestions() - before;
        Assert.InRange(questions, 1, 5 * (passed.Elapsed.TotalSeconds + 2));
        Assert.All(_dashboard.Errors, error => Assert.Contains("400", error, StringComparison.Ordinal));
        _dashboard.Errors.Clear();
    }

    [Fact]
    public async Task A_path_cannot_bring_markup_into_the_page()
    {
        _served.Data.Stale = [ScriptedData.Entry("web-1", "<img src=x onerror=document.title='owned'>", Web2)];
        await Expect(Rows).ToContainTextAsync("<img src=x");
        await Expect(Page.Locator("#stale-rows img")).ToHaveCountAsync(0);
        await Expect(Page).ToHaveTitleAsync("coherencyd");
    }
}
