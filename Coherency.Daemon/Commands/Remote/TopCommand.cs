using System.CommandLine;
using System.Globalization;
using System.Runtime.InteropServices;
using Coherency.Admin.V1;
using Coherency.Daemon.Configuration;
using Spectre.Console;
using AdminClient = Coherency.Admin.V1.Admin.AdminClient;

namespace Coherency.Daemon.Commands.Remote;

/// <summary><c>coherencyd admin top</c>: what guests do, again and again.</summary>
internal sealed class TopCommand : AdminSubcommand
{
    private static readonly TimeSpan ShortestInterval = TimeSpan.FromMilliseconds(100);

    /// <summary>How soon a key is noticed.</summary>
    private static readonly TimeSpan KeyPause = TimeSpan.FromMilliseconds(50);

    private static readonly ListGuestsRequest Request = new() { CountStale = true, Operations = true };

    /// <summary>Columns behind the guest's name and its state, with what they are sorted by.</summary>
    private static readonly (string Name, string Heading, Func<GuestActivity, double?> Value, Func<double, string> Format)[] Columns =
    [
        ("requests", "REQUESTS/S", one => one.RequestsPerSecond, Wording.OfRate),
        ("p50", "P50", one => one.Median, Wording.OfLatency),
        ("p99", "P99", one => one.P99, Wording.OfLatency),
        ("errors", "ERRORS/S", one => one.ErrorsPerSecond, Wording.OfRate),
        ("stale", "STALE", one => one.Guest.HasStaleEntries ? one.Guest.StaleEntries : null, Wording.OfRate),
        ("held", "HELD", one => one.Guest.HeldEntries, Wording.OfRate),
        ("waiting", "WAITING", one => one.Guest.WaitingRequests, Wording.OfRate),
        ("descriptors", "DESCRIPTORS", one => one.Guest.KeptDescriptors, Wording.OfRate),
    ];

    private static readonly string[] Headings = ["GUEST", "STATE", .. Columns.Select(column => column.Heading)];

    private readonly Option<TimeSpan?> _interval = new("--interval")
    {
        Description = "Time between two answers, as 500ms or 5s; 2s unless told otherwise",
        HelpName = "TIME",
        CustomParser = TimeText.Parse,
    };

    private readonly Option<bool> _once = new("--once") { Description = "Print what happened in one interval, and end" };

    private readonly Option<string> _sort = new("--sort")
    {
        Description = $"Greatest first by: {string.Join(", ", Columns.Select(column => column.Name))}",
        HelpName = "COLUMN",
        DefaultValueFactory = _ => Columns[0].Name,
    };

    public TopCommand(AdminOptions options)
        : base("top", "What guests do, again and again: requests, latency, errors, what is stale; q ends it", options)
    {
        _sort.AcceptOnlyFromAmong([.. Columns.Select(column => column.Name)]);
        foreach (Option option in (Option[])[_interval, _once, _sort])
        {
            Options.Add(option);
        }
    }

    protected override int WhenInterrupted(ParseResult parsed) => ExitCodes.Success;

    protected override async Task<int> RunAsync(ParseResult parsed, AdminClient daemon, AdminOutput output, CancellationToken cancellation)
    {
        TimeSpan interval = parsed.GetValue(_interval) ?? TimeSpan.FromSeconds(2);
        if (interval < ShortestInterval)
        {
            throw new UsageException(
                $"--interval: at least {ShortestInterval.TotalMilliseconds:0}ms, for each answer looks at all that guests hold");
        }

        Func<GuestActivity, double?> order = Array.Find(Columns, column => column.Name == parsed.GetRequiredValue(_sort)).Value;
        if (output.IsJson || parsed.GetValue(_once) || Console.IsOutputRedirected)
        {
            await PrintAsync(daemon, output, interval, order, parsed.GetValue(_once), cancellation).ConfigureAwait(false);
        }
        else
        {
            await ShowAsync(daemon, interval, order, cancellation).ConfigureAwait(false);
        }

        return ExitCodes.Success;
    }

    private static async Task<ListGuestsResponse> AskAsync(AdminClient daemon, CancellationToken cancellation) =>
        await daemon.ListGuestsAsync(Request, Within(cancellation)).ConfigureAwait(false);

    /// <summary>One table below the other, for pipes and files.</summary>
    private static async Task PrintAsync(
        AdminClient daemon,
        AdminOutput output,
        TimeSpan interval,
        Func<GuestActivity, double?> order,
        bool isOnce,
        CancellationToken cancellation)
    {
        ListGuestsResponse before = await AskAsync(daemon, cancellation).ConfigureAwait(false);
        do
        {
            await Task.Delay(interval, cancellation).ConfigureAwait(false);
            ListGuestsResponse now = await AskAsync(daemon, cancellation).ConfigureAwait(false);
            output.Print(now, _ => AdminOutput.PrintTable(Headings, Rows(before, now, order)));
            if (!isOnce && !output.IsJson)
            {
                Console.Out.WriteLine();
            }

            before = now;
        }
        while (!isOnce);
    }

    /// <summary>One table that changes in its place, and is gone afterwards.</summary>
    private static async Task ShowAsync(
        AdminClient daemon, TimeSpan interval, Func<GuestActivity, double?> order, CancellationToken cancellation)
    {
        using CancellationTokenSource ended = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        using PosixSignalRegistration terminated = PosixSignalRegistration.Create(PosixSignal.SIGTERM, End);
        using PosixSignalRegistration hungUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, End);
        ListGuestsResponse before = await AskAsync(daemon, ended.Token).ConfigureAwait(false);
        LiveDisplay display = AnsiConsole.Live(new Text(""))
            .AutoClear(true).Overflow(VerticalOverflow.Crop).Cropping(VerticalOverflowCropping.Bottom);
        await display.StartAsync(async context =>
        {
            while (true)
            {
                ListGuestsResponse now = await AskAsync(daemon, ended.Token).ConfigureAwait(false);
                context.UpdateTarget(Draw(before, now, interval, order));
                before = now;
                if (await IsEndedByKeyAsync(interval, ended.Token).ConfigureAwait(false))
                {
                    return;
                }
            }
        }).ConfigureAwait(false);

        void End(PosixSignalContext signal)
        {
            signal.Cancel = true;
            ended.Cancel();
        }
    }

    /// <summary>Waits for so long, or until q is pressed.</summary>
    private static async Task<bool> IsEndedByKeyAsync(TimeSpan time, CancellationToken cancellation)
    {
        using PeriodicTimer timer = new(KeyPause);
        for (TimeSpan waited = TimeSpan.Zero; waited < time; waited += KeyPause)
        {
            while (!Console.IsInputRedirected && Console.KeyAvailable)
            {
                if (Console.ReadKey(intercept: true).Key == ConsoleKey.Q)
                {
                    return true;
                }
            }

            await timer.WaitForNextTickAsync(cancellation).ConfigureAwait(false);
        }

        return false;
    }

    private static Table Draw(ListGuestsResponse before, ListGuestsResponse now, TimeSpan interval, Func<GuestActivity, double?> order)
    {
        Table table = AdminOutput.MakeTable(isTerminal: true, Headings, Rows(before, now, order));
        foreach (TableColumn column in table.Columns.Skip(2))
        {
            column.RightAligned();
        }

        string time = now.At.ToDateTimeOffset().ToLocalTime().ToString("HH:mm:ss", CultureInfo.InvariantCulture);
        table.Title = new TableTitle(Markup.Escape($"coherencyd at {time}, every {Wording.Of(interval)}; q ends"));
        return table;
    }

    private static IEnumerable<string[]> Rows(ListGuestsResponse before, ListGuestsResponse now, Func<GuestActivity, double?> order) =>
        from one in GuestActivity.Between(before, now)
        orderby order(one) ?? -1 descending, one.Guest.Name
        select (string[])
        [
            one.Guest.Name,
            Wording.Of(one.Guest.State),
            .. Columns.Select(column => column.Value(one) is { } value ? column.Format(value) : "-"),
        ];
}
