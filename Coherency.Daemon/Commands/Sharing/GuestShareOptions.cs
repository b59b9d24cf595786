using System.CommandLine;
using Coherency.Daemon.Configuration;

namespace Coherency.Daemon.Commands.Sharing;

/// <summary>The options that describe a share and its guests.</summary>
internal sealed class GuestShareOptions
{
    private readonly ShareOptions _share = new();

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
        Description = "Offer a DAX window of that many MiB, the table counted, on QEMU 11.1; 1024 with --dax when not given",
        HelpName = "MIB",
    };
    private readonly Option<string?> _dax = new("--dax")
    {
        Description = "Let the one guest of the share see files of at least that size, such as 4M, in the DAX window instead of its own " +
            "page cache. Experimental: docs/dax.md",
        HelpName = "SIZE",
    };

    public void AddTo(Command command)
    {
        _share.AddTo(command);
        foreach (Option option in (Option[])[_guests, _tag, _queues, _threads, _poll, _tableDir, _tableSlots, _daxWindow, _dax])
        {
            command.Options.Add(option);
        }
    }

    /// <exception cref="UsageException">No directory was given, or something makes no sense.</exception>
    public ShareConfiguration Read(ParseResult parsed)
    {
        ShareConfiguration share = _share.Read(parsed);
        return share with
        {
            Tag = parsed.GetValue(_tag),
            Guests = [.. (parsed.GetValue(_guests) ?? []).Select(ReadGuest)],
            NumRequestQueues = parsed.GetValue(_queues) ?? share.NumRequestQueues,
            ThreadPoolSize = parsed.GetValue(_threads) ?? share.ThreadPoolSize,
            PollUs = parsed.GetValue(_poll) ?? share.PollUs,
            TableDir = parsed.GetValue(_tableDir),
            TableSlots = parsed.GetValue(_tableSlots) ?? share.TableSlots,
            DaxWindowMib = parsed.GetValue(_daxWindow) ?? share.DaxWindowMib,
            Dax = parsed.GetValue(_dax),
        };
    }

    private static GuestConfiguration ReadGuest(string text)
    {
        int separator = text.IndexOf('=', StringComparison.Ordinal);
        return separator > 0 && separator < text.Length - 1
            ? new GuestConfiguration { Name = text[..separator], Socket = text[(separator + 1)..] }
            : throw new UsageException($"--guest {text}: NAME=SOCKET is right");
    }
}
