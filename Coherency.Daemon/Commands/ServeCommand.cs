using System.CommandLine;
using Coherency.Daemon.Configuration;
using Coherency.Daemon.Hosting;

namespace Coherency.Daemon.Commands;

/// <summary><c>coherencyd serve</c>: shares directories with virtual machines.</summary>
internal sealed class ServeCommand : Command
{
    private readonly ShareOptions _share = new();
    private readonly LoggingOptions _logging = new();
    private readonly AdminListenOptions _admin = new();
    private readonly DashboardOptions _dashboard = new();
    private readonly Option<string[]> _guests = new("--guest", "-g") { Description = "A guest and the socket that its VMM connects to; repeat for each guest", HelpName = "NAME=SOCKET" };
    private readonly Option<string?> _tag = new("--tag") { Description = "What guests mount; the directory's name when not given", HelpName = "TAG" };
    private readonly Option<string?> _config = new("--config") { Description = "Several shares and guests, with every option, from a JSON file", HelpName = "FILE" };
    private readonly Option<int?> _queues = new("--num-request-queues") { Description = "Request queues offered to each guest", HelpName = "N" };
    private readonly Option<int?> _helpers = new("--thread-pool-size") { Description = "Threads of each queue for requests that would hold it up", HelpName = "N" };

    private readonly Option<int?> _poll = new("--poll-us")
    {
        Description = "Look for the next request for up to that long before sleeping. Saves the guest an exit and a wake-up for each request, costs up to that much of a core each time that none comes",
        HelpName = "MICROSECONDS",
    };

    private readonly Option<string?> _tableDir = new("--table-dir") { Description = "Where the guests' version tables are kept, as NAME.table; beside their sockets when not given", HelpName = "DIR" };
    private readonly Option<int?> _tableSlots = new("--table-slots") { Description = "Slots of each version table, a power of two of 8 bytes each", HelpName = "N" };
    private readonly Option<int?> _daxWindow = new("--dax-window") { Description = "Offer a DAX window of that many MiB beside the table (QEMU 11.1; nothing is mapped into it yet)", HelpName = "MIB" };

    private readonly Option<string[]> _mounts = new("--mount") { Description = "Mount the share on the host as well, coherent with the guests: what programs change there, guests see at once; repeat for more", HelpName = "DIR" };

    public ServeCommand()
        : base("serve", "Share directories with virtual machines over vhost-user")
    {
        _share.AddTo(this);
        _logging.AddTo(this);
        foreach (Option option in (Option[])[_guests, _tag, _config, _queues, _helpers, _poll, _tableDir, _tableSlots, _daxWindow, _mounts])
        {
            Options.Add(option);
        }

        _admin.AddTo(this);
        _dashboard.AddTo(this);
        SetAction((parsed, cancellation) => ServeHost.RunAsync(ReadAll(parsed), _logging.Read(parsed), cancellation));
    }

    private ServeConfiguration ReadAll(ParseResult parsed)
    {
        ServeConfiguration configuration = ReadConfiguration(parsed);
        return configuration with
        {
            Admin = _admin.Read(parsed, configuration.Admin),
            Dashboard = _dashboard.Read(parsed) ?? configuration.Dashboard,
        };
    }

    private ServeConfiguration ReadConfiguration(ParseResult parsed)
    {
        string? file = parsed.GetValue(_config);
        string[] guests = parsed.GetValue(_guests) ?? [];
        if (file is not null)
        {
            return parsed.GetValue(_share.SharedDir) is null && guests.Length == 0
                ? ConfigurationFile.Read(file)
                : throw new UsageException("--config describes shares and guests: give no --shared-dir and no --guest beside it");
        }

        ShareConfiguration share = _share.Read(parsed);
        ServeConfiguration configuration = new()
        {
            Shares =
            [
                share with
                {
                    Tag = parsed.GetValue(_tag),
                    Guests = [.. guests.Select(ReadGuest)],
                    NumRequestQueues = parsed.GetValue(_queues) ?? share.NumRequestQueues,
                    ThreadPoolSize = parsed.GetValue(_helpers) ?? share.ThreadPoolSize,
                    PollUs = parsed.GetValue(_poll) ?? share.PollUs,
                    Mounts = parsed.GetValue(_mounts) ?? [],
                    TableDir = parsed.GetValue(_tableDir),
                    TableSlots = parsed.GetValue(_tableSlots) ?? share.TableSlots,
                    DaxWindowMib = parsed.GetValue(_daxWindow) ?? share.DaxWindowMib,
                },
            ],
        };
        ConfigurationFile.Check(configuration);
        return configuration;
    }

    private static GuestConfiguration ReadGuest(string text)
    {
        int separator = text.IndexOf('=', StringComparison.Ordinal);
        return separator > 0 && separator < text.Length - 1
            ? new GuestConfiguration { Name = text[..separator], Socket = text[(separator + 1)..] }
            : throw new UsageException($"--guest {text}: NAME=SOCKET is right");
    }
}
