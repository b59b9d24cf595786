using Microsoft.Playwright;

namespace Coherency.Tests.Dashboard;

/// <summary>One headless Chromium, Debian's, for all tests of a collection.</summary>
public sealed class Browser : IAsyncLifetime
{
    private const string Chromium = "/usr/bin/chromium";

    /// <summary>How long the page may take to show something, in milliseconds: it has other tests beside it.</summary>
    private const float Patience = 120_000;

    private IPlaywright? _driver;
    private IBrowser? _browser;

    public async Task InitializeAsync()
    {
        Assertions.SetDefaultExpectTimeout(Patience);
        _driver = await Playwright.CreateAsync();

        // The tests run as root, for which the sandbox does not work.
        _browser = await _driver.Chromium.LaunchAsync(new BrowserTypeLaunchOptions { ExecutablePath = Chromium, Args = ["--no-sandbox"] });
    }

    /// <summary>A window with cookies and settings of its own.</summary>
    public async Task<IBrowserContext> OpenAsync(int width, int height, ColorScheme colours)
    {
        IBrowserContext window = await _browser!.NewContextAsync(new BrowserNewContextOptions
        {
            ViewportSize = new ViewportSize { Width = width, Height = height },
            ColorScheme = colours,
            ReducedMotion = ReducedMotion.Reduce,
            TimezoneId = "UTC",
        });
        window.SetDefaultTimeout(Patience);
        return window;
    }

    public async Task DisposeAsync()
    {
        await _browser!.DisposeAsync();
        _driver!.Dispose();
    }
}

/// <summary>Tests that share the browser; they run one after the other.</summary>
[CollectionDefinition(Name)]
public sealed class BrowserTests : ICollectionFixture<Browser>
{
    public const string Name = "Browser";
}
