using System.CommandLine;
using Coherency.Admin.V1;
using Coherency.Daemon.Configuration;
using Coherency.Daemon.Instances;
using Grpc.Core;
using Grpc.Net.Client;
using AdminClient = Coherency.Admin.V1.Admin.AdminClient;

namespace Coherency.Daemon.Commands.Remote;

/// <summary>What all commands that ask a daemon have in common.</summary>
internal sealed class AdminOptions
{
    /// <summary>Who presses the tab key does not wait for long; a daemon that is there answers sooner, even on a busy machine.</summary>
    private static readonly TimeSpan CompletionPatience = TimeSpan.FromSeconds(5);

    private readonly Option<string?> _socket = new("--socket")
    {
        Description = "Where the daemon listens (its --admin-socket), when it cannot be found by its instance",
        HelpName = "PATH",
        Recursive = true,
    };
    private readonly Option<string> _instance = new("--instance")
    {
        Description = "The daemon's name ('coherencyd list' has those that run), 'default' when not given",
        HelpName = "NAME",
        Recursive = true,
        DefaultValueFactory = _ => InstanceNames.Default,
    };
    private readonly Option<bool> _json = new("--json")
    {
        Description = "Print JSON as protobuf defines it, for programs: one object, or one for each line of a stream",
        Recursive = true,
    };

    public void AddTo(Command command)
    {
        command.Options.Add(_socket);
        command.Options.Add(_instance);
        command.Options.Add(_json);
    }

    public AdminOutput Output(ParseResult parsed) => new(parsed.GetValue(_json));

    /// <exception cref="UsageException">Nobody says where the daemon listens.</exception>
    public string Socket(ParseResult parsed) => parsed.GetValue(_socket) ?? InstanceList.AdminSocketOf(parsed.GetRequiredValue(_instance))
        ?? throw new UsageException("XDG_RUNTIME_DIR does not say where the daemon's socket is: give --socket PATH");

    /// <summary>Names a guest; the names are asked for when the shell completes them.</summary>
    public Argument<string> GuestArgument()
    {
        Argument<string> guest = new("GUEST") { Description = "Name of the guest", HelpName = "GUEST" };
        guest.CompletionSources.Add(context => GuestNames(context.ParseResult));
        return guest;
    }

    public Option<string?> GuestOption(string description)
    {
        Option<string?> guest = new("--guest") { Description = description, HelpName = "NAME" };
        guest.CompletionSources.Add(context => GuestNames(context.ParseResult));
        return guest;
    }

    private string[] GuestNames(ParseResult parsed)
    {
        try
        {
            using GrpcChannel channel = AdminChannel.Open(Socket(parsed));
            ListGuestsResponse answer = new AdminClient(channel).ListGuests(
                new ListGuestsRequest(), deadline: DateTime.UtcNow + CompletionPatience);
            return [.. answer.Guests.Select(guest => guest.Name)];
        }
        catch (Exception nobody) when (nobody is UsageException or RpcException)
        {
            return [];
        }
    }
}
