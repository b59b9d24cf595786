using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Coherency.Daemon.Commands.Remote;
using Coherency.Daemon.Configuration;
using Coherency.Daemon.Instances;

namespace Coherency.Daemon.Commands;

/// <summary><c>coherencyd list</c>: the daemons that run on this host.</summary>
internal sealed class ListCommand : Command
{
    private readonly Option<bool> _json = new("--json") { Description = "Print what each tells of itself as JSON, for programs" };

    public ListCommand()
        : base("list", "List the daemons of this user that run, by their instance's name, which 'coherencyd admin --instance' takes")
    {
        Options.Add(_json);
        SetAction(parsed => Run(parsed.GetValue(_json)));
    }

    private static int Run(bool asJson)
    {
        IReadOnlyList<InstanceInfo> found = InstanceList.Find();
        if (asJson)
        {
            Console.Out.WriteLine(JsonSerializer.Serialize(found, InstanceJson.Default.IReadOnlyListInstanceInfo));
        }
        else
        {
            AdminOutput.PrintTable(
                ["INSTANCE", "PID", "VERSION", "GUESTS", "SHARES"],
                found.Select(daemon => (string[])
                [
                    daemon.Instance, daemon.Pid.ToString(CultureInfo.InvariantCulture), daemon.Version,
                    daemon.Shares.Sum(share => share.Guests.Count).ToString(CultureInfo.InvariantCulture),
                    string.Join(' ', daemon.Shares.Select(share => share.Directory)),
                ]));
        }

        return ExitCodes.Success;
    }
}
