using Coherency.Tests.Admin;
using Microsoft.Playwright;

namespace Coherency.Tests.Dashboard;

/// <summary>
/// Pictures of a busy daemon for people to look at, written into the directory that COHERENCY_SCREENSHOTS names, and checked
/// for what a program can see.
/// </summary>
[Trait("Category", "Browser")]
[Collection(BrowserTests.Name)]
public sealed class ScreenshotTests(Browser browser)
{
    [Theory]
    [InlineData("light", 1280)]
    [InlineData("dark", 1280)]
    [InlineData("light", 768)]
    [InlineData("dark", 360)]
    [InlineData("light", 360)]
    public async Task Everything_fits_the_width(string theme, int width)
    {
        await using BusyDaemon daemon = await BusyDaemon.StartAsync();
        await using DashboardPage dashboard = await DashboardPage.OpenAsync(
            browser, daemon.Served, width, height: 900, theme == "dark" ? ColorScheme.Dark : ColorScheme.Light);
        await Assertions.Expect(dashboard.Page.Locator("#heat-rows tr")).ToHaveCountAsync(8);
        Assert.Equal(width, await dashboard.Page.EvaluateAsync<int>("document.documentElement.scrollWidth"));

        if (Environment.GetEnvironmentVariable("COHERENCY_SCREENSHOTS") is { Length: > 0 } folder)
        {
            Directory.CreateDirectory(folder);
            byte[] picture = await dashboard.Page.ScreenshotAsync(new PageScreenshotOptions { FullPage = true });
            await File.WriteAllBytesAsync(Path.Combine(folder, $"dashboard-{theme}-{width}.png"), picture);
        }

        Assert.Empty(dashboard.Errors);
    }

    /// <summary>
    /// The pictures of README.md and docs/dashboard.md: a real daemon with two guests that work, programs of this machine. With
    /// COHERENCY_SCREENSHOTS they are taken after six minutes, when the chart is full.
    /// </summary>
    [Fact]
    public async Task A_daemon_under_load_is_shown()
    {
        using LoadedDaemon daemon = new();
        await using IBrowserContext window = await browser.OpenAsync(1280, 1500, ColorScheme.Light);
        IPage page = await window.NewPageAsync();
        await page.GotoAsync(daemon.Ask("dashboard").Output.Trim());
        await Assertions.Expect(page.Locator("#operation-rows tr").First).ToBeVisibleAsync();
        await Assertions.Expect(page.Locator("#operation-rows")).ToContainTextAsync("EEXIST");
        await Assertions.Expect(page.Locator("#stale-rows")).ToContainTextAsync("docs/page");
        await Assertions.Expect(page.Locator("#heat-rows tr").First).ToBeVisibleAsync();
        string? folder = Environment.GetEnvironmentVariable("COHERENCY_SCREENSHOTS");
        if (!string.IsNullOrEmpty(folder))
        {
            await Task.Delay(TimeSpan.FromMinutes(6));
            await page.ScreenshotAsync(new PageScreenshotOptions { Path = Path.Combine(folder, "dashboard.png") });
            await page.ScreenshotAsync(new PageScreenshotOptions { Path = Path.Combine(folder, "dashboard-whole.png"), FullPage = true });
        }
    }
}
