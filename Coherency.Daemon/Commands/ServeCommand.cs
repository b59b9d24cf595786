using System.CommandLine;
using Coherency.Daemon.Configuration;
using Coherency.Daemon.Hosting;

namespace Coherency.Daemon.Commands;

/// <summary><c>coherencyd serve</c>: shares directories with virtual machines.</summary>
internal sealed class ServeCommand : Command
{
    private const string DefaultInstance = "default";

    private readonly ShareOptions _share = new();
    private readonly LoggingOptions _logging = new();
    private readonly AdminListenOptions _admin = new();
    private readonly ViewOptions _views = new();
    private readonly Option<string[]> _guests = new("--guest", "-g")
    {
        Description = "A guest and the socket that its VMM connects to; repeat for each guest",
        HelpName = "NAME=SOCKET",
    };
    private readonly Option<string?> _tag = new("--tag")
    {
        Description = "What guests mount; the directory's name when not given",
        HelpName = "TAG",
    };
    private readonly Option<string?> _config = new("--config")
    {
        Description = "Several shares and guests, with every option, from a JSON file",
        HelpName = "FILE",
    };
    private readonly Option<int?> _queues = new("--num-request-queues")
    {
        Description = "Request queues offered to each guest",
        HelpName = "N",
    };
    private readonly Option<int?> _threads = new("--thread-pool-size")
    {
        Description = "Threads of each queue, beside its first, for requests that hold it up",
        HelpName = "N",
    };

    private readonly Option<int?> _poll = new("--poll-us")
    {
        Description = "Look for the next request for up to that long before sleeping. Saves the guest an exit and a wake-up for each " +
            "request, costs up to that much of a core each time that none comes",
        HelpName = "MICROSECONDS",
    };

    private readonly Option<string?> _tableDir = new("--table-dir")
    {
        Description = "Where the guests' version tables are kept, as NAME.table; beside their sockets when not given",
        HelpName = "DIR",
    };
    private readonly Option<int?> _tableSlots = new("--table-slots")
    {
        Description = "Slots of each version table, a power of two of 8 bytes each",
        HelpName = "N",
    };
    private readonly Option<int?> _daxWindow = new("--dax-window")
    {
        Description = "Offer a DAX window of that many MiB beside the table (QEMU 11.1; nothing is mapped into it yet)",
        HelpName = "MIB",
    };

    private readonly Option<string[]> _mounts = new("--mount")
    {
        Description = "Mount the share on the host as well, coherent with the guests: what programs change there, guests see at once; " +
            "repeat for more",
        HelpName = "DIR",
    };

    private readonly Option<string?> _attach = new("--attach")
    {
        Description = "Serve the guests of coherencyd-virtiofsd too, which is started in place of virtiofsd: they find this daemon by " +
            "the name (default when none is given)",
        HelpName = "INSTANCE",
        Arity = ArgumentArity.ZeroOrOne,
    };

    /// <summary>What describes shares and guests, on the command line or in a file.</summary>
    private readonly Option[] _describing;

    public ServeCommand()
        : base("serve", "Share directories with virtual machines over vhost-user")
    {
        _share.AddTo(this);
        foreach (Option option in (Option[])[_guests, _tag, _queues, _threads, _poll, _tableDir, _tableSlots, _daxWindow, _mounts])
        {
            Options.Add(option);
        }

        _describing = [.. Options];
        Options.Add(_config);
        Options.Add(_attach);
        _logging.AddTo(this);
        _admin.AddTo(this);
        _views.AddTo(this);
        SetAction((parsed, cancellation) => ServeHost.RunAsync(ReadAll(parsed), _logging.Read(parsed), cancellation));
    }

    private ServeConfiguration ReadAll(ParseResult parsed)
    {
        ServeConfiguration configuration = ReadConfiguration(parsed);
        if (parsed.GetResult(_attach) is { Implicit: false })
        {
            configuration = configuration with { Attach = parsed.GetValue(_attach) ?? DefaultInstance };
        }

        return _views.Read(parsed, configuration) with { Admin = _admin.Read(parsed, configuration.Admin) };
    }

    private ServeConfiguration ReadConfiguration(ParseResult parsed)
    {
        if (parsed.GetValue(_config) is { } file)
        {
            IEnumerable<Option> given = _describing.Where(option => parsed.GetResult(option) is { Implicit: false });
            string names = string.Join(" and ", given.Select(option => option.Name));
            return names.Length == 0
                ? ConfigurationFile.Read(file)
                : throw new UsageException($"--config describes shares and guests, so {names} would have no effect: write it into {file}");
        }

        if (parsed.GetResult(_attach) is { Implicit: false } && !_describing.Any(option => parsed.GetResult(option) is { Implicit: false }))
        {
            return new ServeConfiguration { Shares = [] };
        }

        ShareConfiguration share = _share.Read(parsed);
        ServeConfiguration configuration = new()
        {
            Shares =
            [
                share with
                {
                    Tag = parsed.GetValue(_tag),
                    Guests = [.. (parsed.GetValue(_guests) ?? []).Select(ReadGuest)],
                    NumRequestQueues = parsed.GetValue(_queues) ?? share.NumRequestQueues,
                    ThreadPoolSize = parsed.GetValue(_threads) ?? share.ThreadPoolSize,
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
