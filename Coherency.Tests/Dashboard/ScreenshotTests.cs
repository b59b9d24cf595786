using Coherency.Daemon.Dashboard;
using Microsoft.Playwright;

namespace Coherency.Tests.Dashboard;

/// <summary>
/// Pictures of a busy daemon for people to look at, written into the directory that COHERENCY_SCREENSHOTS names, and checked
/// for what a program can see.
/// </summary>
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
        await using DashboardPage dashboard = await DashboardPage.OpenAsync(browser, daemon.Served, width, height: 900, theme == "dark" ? ColorScheme.Dark : ColorScheme.Light);
        await Assertions.Expect(dashboard.Page.Locator("#heat-rows tr")).ToHaveCountAsync(8);
        Assert.Equal(width, await dashboard.Page.EvaluateAsync<int>("document.documentElement.scrollWidth"));

        byte[] picture = await dashboard.Page.ScreenshotAsync(new PageScreenshotOptions { FullPage = true });
        Assert.NotEmpty(picture);
        if (Environment.GetEnvironmentVariable("COHERENCY_SCREENSHOTS") is { Length: > 0 } folder)
        {
            Directory.CreateDirectory(folder);
            await File.WriteAllBytesAsync(Path.Combine(folder, $"dashboard-{theme}-{width}.png"), picture);
        }

        Assert.Empty(dashboard.Errors);
    }
}
