using System.CommandLine;
using Coherency.Daemon.Commands.Sharing;
using Coherency.Daemon.Configuration;
using Coherency.Daemon.Hosting;

namespace Coherency.Daemon.Commands;

/// <summary><c>coherencyd mount</c>: serves a directory through the host kernel's FUSE device.</summary>
internal sealed class MountCommand : Command
{
    private readonly ShareOptions _share = new();
    private readonly LoggingOptions _logging = new();
    private readonly Argument<string> _mountPoint = new("MOUNTPOINT")
    {
        Description = "Where to mount; as root, or in a user namespace of your own (unshare --map-root-user --mount)",
    };
    private readonly Option<int> _threads = new("--threads")
    {
        Description = "Requests carried out at the same time",
        DefaultValueFactory = _ => Math.Max(2, Environment.ProcessorCount),
        HelpName = "N",
    };

    public MountCommand()
        : base("mount", "Mount a directory on the host, through the same file system that guests get")
    {
        _share.AddTo(this);
        _logging.AddTo(this);
        Options.Add(_threads);
        Arguments.Add(_mountPoint);
        SetAction((parsed, cancellation) =>
        {
            int threads = parsed.GetValue(_threads);
            ShareConfiguration share = _share.Read(parsed);
            return threads is >= 1 and <= 256
                ? MountHost.RunAsync(share, parsed.GetRequiredValue(_mountPoint), threads, _logging.Read(parsed), cancellation)
                : throw new UsageException($"--threads {threads}: 1 to 256 are possible");
        });
    }
}
