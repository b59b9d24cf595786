using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Coherency.Daemon.Commands.Remote;
using Coherency.Guest.VirtualMachines;
using Coherency.Tests.Daemon;
using Coherency.Tests.Dashboard;
using Microsoft.Playwright;
using Xunit;
using Xunit.Abstractions;

namespace Coherency.Tests.Vm;

/// <summary>
/// What <c>coherencyd admin</c> and the dashboard tell of two virtual machines: which of them holds what that is no longer true,
/// and who made it so. COHERENCY_ADMIN_TRANSCRIPT names a file for what people would see in a terminal, the source of docs/admin.md,
/// COHERENCY_SCREENSHOTS a directory for pictures.
/// </summary>
[Trait("Category", "Vm")]
public sealed class AdministrationTests(ITestOutputHelper output) : IAsyncLifetime
{
    private const string Mount = TwoGuests.MountPoint;

    private static readonly string[] Names = ["web", "build"];

    private readonly string _work = Directory.CreateTempSubdirectory("coherency-stale-").FullName;
    private readonly Dictionary<string, VirtualMachine> _guests = [];
    private CoherencydProcess _daemon = null!;

    private string Shared => Path.Combine(_work, "shared");

    public async Task InitializeAsync()
    {
        foreach (string name in (string[])["src/lib.c", "src/main.c", "src/old.c", "docs/index.md"])
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(Shared, name))!);
            File.WriteAllText(Path.Combine(Shared, name), "text");
        }

        _daemon = await CoherencydProcess.LaunchAsync(Shared, _work, Names, "coherent", "--dashboard", "0");
        foreach (string name in Names)
        {
            _guests[name] = await VirtualMachine.BootAsync(new VirtualMachineSettings
            {
                Name = name,
                Image = VirtualMachineImage.Stable,
                WorkFolder = _work,
                DaemonSocket = _daemon.SocketOf(name),
                Tag = SharingDaemon.Tag,
                TableFile = _daemon.SocketOf(name) + ".table",
            });
            await _guests[name].ExpectAsync($"mount -t coherency {SharingDaemon.Tag} {Mount}");
        }
    }

    public async Task DisposeAsync()
    {
        foreach (VirtualMachine guest in _guests.Values)
        {
            await guest.DisposeAsync();
        }

        await _daemon.DisposeAsync();
        Directory.Delete(_work, recursive: true);
    }

    [Fact]
    public async Task The_administration_tells_who_holds_what_is_stale_and_who_made_it_so()
    {
        await Web($"ls -lR {Mount} >/dev/null; cat {Mount}/src/*.c >/dev/null; [ ! -e {Mount}/src/new.c ]");
        Assert.Empty(Stale());

        await Build($"mv {Mount}/src/old.c {Mount}/src/new.c; echo changed >{Mount}/src/main.c");
        // It stays for a moment, so that it can be told what it is.
        int pid = int.Parse(
            await HostShell.ExpectAsync($"echo $$; echo more >>{Shared}/docs/index.md; sleep 1"), CultureInfo.InvariantCulture);
        await EventuallyAsync(() => Stale().Exists(entry => PathOf(entry) == "docs/index.md"));

        List<JsonNode> stale = Stale();
        Assert.All(stale, entry => Assert.Equal("web", entry["guest"]!.GetValue<string>()));
        JsonNode renamed = Find(stale, "src/old.c", "ENTRY_KIND_DENTRY");
        Assert.StartsWith("RENAME", renamed["cause"]!["operation"]!.GetValue<string>(), StringComparison.Ordinal);
        Assert.Equal("build", renamed["cause"]!["actor"]!["guest"]!.GetValue<string>());
        Assert.StartsWith(
            "RENAME",
            Find(stale, "src/new.c", "ENTRY_KIND_NEGATIVE_DENTRY")["cause"]!["operation"]!.GetValue<string>(),
            StringComparison.Ordinal);
        Assert.Equal("build", Find(stale, "src/main.c", "ENTRY_KIND_ATTRIBUTES")["cause"]!["actor"]!["guest"]!.GetValue<string>());
        Assert.Equal("build", Find(stale, "src", "ENTRY_KIND_DIRECTORY")["cause"]!["actor"]!["guest"]!.GetValue<string>());
        JsonNode changed = Find(stale, "docs/index.md", "ENTRY_KIND_ATTRIBUTES")["cause"]!;
        Assert.Equal("HOST_MODIFY", changed["operation"]!.GetValue<string>());
        Assert.Equal(pid, changed["actor"]!["host"]!["pid"]!.GetValue<int>());
        Assert.Equal("sh", changed["actor"]!["host"]!["command"]!.GetValue<string>());
        Assert.Equal(AdminCommand.FoundStale, ChildProcess.Run("dotnet", CommandLine("stale", "--fail")).ExitCode);

        Transcribe("status");
        Transcribe("guests");
        Transcribe("stale");
        Transcribe("stale --guest web --path src --kind dentry --json");
        Transcribe("inspect src/main.c");
        Transcribe("table web");

        // Whoever looks again holds what is true.
        await Web($"ls -lR {Mount} >/dev/null; [ -e {Mount}/src/new.c ]; [ ! -e {Mount}/src/old.c ]");
        Assert.Empty(Stale());
        await InvalidateAsync();
        foreach (VirtualMachine guest in _guests.Values)
        {
            guest.AssertKernelIsSound();
        }
    }

    [Fact]
    public async Task The_dashboard_shows_them()
    {
        Browser browser = new();
        await browser.InitializeAsync();
        try
        {
            await using IBrowserContext context = await browser.OpenAsync(1280, 1400, ColorScheme.Light);
            IPage page = await context.NewPageAsync();
            await Web($"for i in $(seq 300); do echo $i >{Mount}/docs/page$i.md; done; ls -lR {Mount} >/dev/null");
            await Build($"ls -lR {Mount} >/dev/null");
            await page.GotoAsync(Admin("dashboard").Trim());
            BackgroundCommand work = await _guests["build"].StartAsync(
                $"while [ ! -e /run/enough ]; do for i in $(seq 300); do [ -e /run/enough ] || echo new >{Mount}/docs/page$i.md; stat " +
                $"{Mount}/docs/* >/dev/null; done; done");
            await Assertions.Expect(page.GetByText("docs/page1.md").First).ToBeVisibleAsync(new() { Timeout = 30_000 });
            await Assertions.Expect(page.Locator("#heat-rows tr")).Not.ToHaveCountAsync(0, new() { Timeout = 30_000 });
            string text = await page.InnerTextAsync("main");
            Assert.All(Names, name => Assert.Contains(name, text, StringComparison.Ordinal));
            await Assertions.Expect(page.Locator("#guest-rows")).ToContainTextAsync("%", new() { Timeout = 45_000 });
            byte[] picture = await page.ScreenshotAsync();
            if (Environment.GetEnvironmentVariable("COHERENCY_SCREENSHOTS") is { Length: > 0 } folder)
            {
                await File.WriteAllBytesAsync(Path.Combine(Directory.CreateDirectory(folder).FullName, "dashboard-guests.png"), picture);
            }

            await Build("touch /run/enough");
            await work.CompletionAsync(TimeSpan.FromMinutes(2));
        }
        finally
        {
            await browser.DisposeAsync();
        }
    }

    private async Task InvalidateAsync()
    {
        Transcribe("invalidate src --recursive");
        Assert.Contains(
            Stale(), entry => PathOf(entry) == "src/main.c" && entry["cause"]!["operation"]!.GetValue<string>() == "INVALIDATE");
        Assert.DoesNotContain(Stale(), entry => PathOf(entry).StartsWith("docs", StringComparison.Ordinal));
        Transcribe("invalidate --all");
        Assert.Contains(Stale(), entry => PathOf(entry).StartsWith("docs", StringComparison.Ordinal));
        await Web($"ls -lR {Mount} >/dev/null");
        await TranscribeFollowingAsync("watch", $"touch {Mount}/docs/index.md", "docs/index.md");
        Transcribe("log-level debug");
        Transcribe("drain build");
        Transcribe("guests");
        Transcribe("drain build --resume");
        Transcribe("disconnect web");
        Transcribe("dashboard");
    }

    private Task<string> Web(string command) => _guests["web"].ExpectAsync(command);

    private Task<string> Build(string command) => _guests["build"].ExpectAsync(command);

    private List<JsonNode> Stale() =>
        [.. Admin("stale", "--json").Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonNode.Parse(line)!)];

    private static string PathOf(JsonNode entry) => entry["path"]!.GetValue<string>();

    private static JsonNode Find(List<JsonNode> entries, string path, string kind) => Assert.Single(
        entries, entry => PathOf(entry) == path && entry["kind"]!.GetValue<string>() == kind);

    private static async Task EventuallyAsync(Func<bool> isReached)
    {
        Stopwatch waited = Stopwatch.StartNew();
        while (!isReached())
        {
            Assert.True(waited.Elapsed < TimeSpan.FromMinutes(1), "what was waited for did not come");
            await Task.Delay(50);
        }
    }

    private void Transcribe(string arguments)
    {
        Transcribe(arguments, Admin(arguments.Split(' ')));
    }

    /// <summary>A command that goes on by itself, until it has told of what a guest does.</summary>
    private async Task TranscribeFollowingAsync(string arguments, string change, string expected)
    {
        await using CompanionProcess process = CompanionProcess.Start("dotnet", CommandLine(arguments.Split(' ')));
        // It says nothing when it begins to watch.
        for (int i = 0; i < 100 && !process.Output.Contains('\n', StringComparison.Ordinal); i++)
        {
            await Build(change);
            await Task.Delay(200);
        }

        string line = process.Output.Split('\n')[0];
        Assert.Contains(expected, line, StringComparison.Ordinal);
        Transcribe(arguments, $"{line}\n");
    }

    private void Transcribe(string arguments, string printed)
    {
        output.WriteLine($"$ coherencyd admin {arguments}\n{printed}");
        if (Environment.GetEnvironmentVariable("COHERENCY_ADMIN_TRANSCRIPT") is { Length: > 0 } file)
        {
            File.AppendAllText(file, $"$ coherencyd admin {arguments}\n{printed}\n");
        }
    }

    /// <summary>What a command prints that must succeed.</summary>
    private string Admin(params string[] arguments)
    {
        ChildResult result = ChildProcess.Run("dotnet", CommandLine(arguments));
        Assert.True(result.ExitCode == 0, $"coherencyd admin {string.Join(' ', arguments)} ended with {result.ExitCode}: {result.Errors}");
        return result.Output;
    }

    private string[] CommandLine(params string[] arguments) =>
        [RunningDaemon.Program, "admin", .. arguments, "--socket", CoherencydProcess.AdminSocketIn(_work)];
}
