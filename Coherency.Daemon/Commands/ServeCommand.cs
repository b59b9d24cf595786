using System.CommandLine;
using Coherency.Daemon.Commands.Sharing;
using Coherency.Daemon.Configuration;
using Coherency.Daemon.Hosting;
using Coherency.Daemon.Instances;

namespace Coherency.Daemon.Commands;

/// <summary><c>coherencyd serve</c>: shares directories with virtual machines.</summary>
internal sealed class ServeCommand : Command
{
    private readonly GuestShareOptions _share = new();
    private readonly LoggingOptions _logging = new();
    private readonly AdminListenOptions _admin = new();
    private readonly ViewOptions _views = new();
    private readonly Option<string?> _config = new("--config")
    {
        Description = "Several shares and guests, with every option, from a JSON file, or from all of a directory's files NAME.json and " +
            "conf.d/NAME.json; /etc/coherencyd for root and $XDG_CONFIG_HOME/coherencyd for others when no share is given either. SIGHUP " +
            "and 'coherencyd admin reload' read it again",
        HelpName = "FILE",
    };
    private readonly Option<string[]> _mounts = new("--mount")
    {
        Description = "Mount the share on the host as well, coherent with the guests: what programs change there, guests see at once; " +
            "repeat for more",
        HelpName = "DIR",
    };

    private readonly Option<string?> _instance = new("--instance")
    {
        Description = "The name by which this daemon is found on its host (coherencyd list), 'default' when not given: its sockets are " +
            "in /run/coherencyd/NAME for root, in $XDG_RUNTIME_DIR/coherencyd/NAME for others",
        HelpName = "NAME",
    };
    private readonly Option<string?> _attach = new("--attach")
    {
        Description = "Serve the guests of coherencyd-virtiofsd too, which is started in place of virtiofsd: they find this daemon by " +
            "its instance's name, which can be given here too",
        HelpName = "INSTANCE",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private readonly Option<string[]> _expect = new("--expect")
    {
        Description = "Have the version table of a guest of coherencyd-virtiofsd there before it comes, and after it has gone, for VMMs " +
            "that open its file as they start; repeat for more. TAG is what the guest mounts",
        HelpName = "NAME=TAG",
    };

    /// <summary>What describes shares and guests, on the command line or in a file.</summary>
    private readonly Option[] _describing;

    public ServeCommand()
        : base("serve", "Share directories with virtual machines over vhost-user")
    {
        _share.AddTo(this);
        Options.Add(_mounts);
        _describing = [.. Options];
        Options.Add(_config);
        Options.Add(_instance);
        Options.Add(_attach);
        Options.Add(_expect);
        _logging.AddTo(this);
        _admin.AddTo(this);
        _views.AddTo(this);
        SetAction((parsed, cancellation) => ServeHost.RunAsync(ReadAll(parsed), _logging.Read(parsed), cancellation));
    }

    private ServeConfiguration ReadAll(ParseResult parsed)
    {
        ServeConfiguration configuration = ReadConfiguration(parsed);
        configuration = configuration with
        {
            Instance = parsed.GetValue(_instance) ?? configuration.Instance,
            Expect = [.. configuration.Expect.Union((parsed.GetValue(_expect) ?? []).Select(ReadExpected))],
        };
        if (parsed.GetResult(_attach) is { Implicit: false })
        {
            configuration = configuration with
            {
                Attach = parsed.GetValue(_attach) ?? configuration.Attach ?? configuration.Instance ?? InstanceNames.Default,
            };
        }

        ConfigurationFile.Check(configuration);
        return _views.Read(parsed, configuration) with { Admin = _admin.Read(parsed, configuration.Admin) };
    }

    private static ExpectedGuest ReadExpected(string said) => said.Split('=', 2) is [{ Length: > 0 } name, { Length: > 0 } tag]
        ? new ExpectedGuest { Name = name, Tag = tag }
        : throw new UsageException($"--expect {said}: NAME=TAG is right, as web-fs0=code");

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

        if (!_describing.Any(option => parsed.GetResult(option) is { Implicit: false }))
        {
            return StandardPlaces.Configuration is { } standard
                ? ConfigurationFile.Read(standard, isStandard: true)
                : new ServeConfiguration();
        }

        return new ServeConfiguration
        {
            Shares = [_share.Read(parsed) with { Mounts = parsed.GetValue(_mounts) ?? [] }],
        };
    }
}
