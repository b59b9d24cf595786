using Microsoft.Playwright;

namespace Coherency.Tests.Dashboard;

/// <summary>The dashboard in a window of the browser, signed in; it writes down what must not happen.</summary>
internal sealed class DashboardPage : IAsyncDisposable
{
    private readonly IBrowserContext _window;

    private DashboardPage(IBrowserContext window, IPage page, Uri origin)
    {
        _window = window;
        Page = page;
        page.Console += (_, message) => Add(Errors, message.Type is "error" or "warning", message.Text);
        page.PageError += (_, error) => Add(Errors, true, error);
        page.Request += (_, request) => Add(Strays, !request.Url.StartsWith(origin.ToString(), StringComparison.Ordinal), request.Url);
        page.Request += (_, request) =>
            Add(Questions, new Uri(request.Url).AbsolutePath.StartsWith("/api/", StringComparison.Ordinal), request.Url);
    }

    public IPage Page { get; }

    /// <summary>What the console says of errors, and exceptions that nobody caught.</summary>
    public List<string> Errors { get; } = [];

    /// <summary>Requests to anywhere but the daemon.</summary>
    public List<string> Strays { get; } = [];

    /// <summary>Requests for data.</summary>
    public List<string> Questions { get; } = [];

    public static async Task<DashboardPage> OpenAsync(
        Browser browser, ServedDashboard served, int width = 1280, int height = 900, ColorScheme colours = ColorScheme.Light)
    {
        IBrowserContext window = await browser.OpenAsync(width, height, colours);
        IPage page = await window.NewPageAsync();
        DashboardPage dashboard = new(window, page, served.Origin);
        await page.GotoAsync(served.Address.ToString());
        await dashboard.IsAsync("live");
        return dashboard;
    }

    /// <summary>Waits until the page says of its connection that it is in this state.</summary>
    public Task IsAsync(string state) => Assertions.Expect(Page.Locator("#connection")).ToHaveAttributeAsync("data-state", state);

    /// <summary>The row of a table whose header cell begins with this text.</summary>
    public ILocator Row(string table, string name) =>
        Page.Locator(
            $"#{table} tr", new PageLocatorOptions { Has = Page.Locator("th[scope=row]", new PageLocatorOptions { HasText = name }) });

    public int CountQuestions()
    {
        lock (Questions)
        {
            return Questions.Count;
        }
    }

    public ValueTask DisposeAsync() => _window.DisposeAsync();

    private static void Add(List<string> list, bool counts, string text)
    {
        if (counts)
        {
            lock (list)
            {
                list.Add(text);
            }
        }
    }
}
