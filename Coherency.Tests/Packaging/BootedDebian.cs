using System.Globalization;

namespace Coherency.Tests.Packaging;

/// <summary>A Debian that systemd runs, in a container; off when disposed.</summary>
internal sealed class BootedDebian : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    private readonly InstalledDebian _debian;
    private readonly CompanionProcess _container;
    private readonly string _first;

    public BootedDebian(string suite)
    {
        _debian = new InstalledDebian(suite);
        // systemd-nspawn(1) has no capabilities of the host's, and a filter; here the unit's own are what is looked at.
        _container = CompanionProcess.Start("systemd-nspawn",
        [
            "--quiet", "--register=no", "--keep-unit", "--private-network", $"--machine=coherency-{Guid.NewGuid():N}"[..40],
            $"--directory={_debian.Root.Directory}", "--capability=all",
            "--system-call-filter=open_by_handle_at fanotify_init fanotify_mark", "--boot",
        ]);
        try
        {
            _container.WaitUntil("services", () => _container.Output.Contains("basic.target", StringComparison.Ordinal), Patience);
            _first = FindFirst();
        }
        catch
        {
            _first = FindFirst();
            Dispose();
            throw;
        }
    }

    /// <summary>Where a path of it is, on the host, unless something of its own is mounted there.</summary>
    public string Inside(string path) => _debian.Root.Inside(path);

    /// <summary>Where a path of it is for those who look through one of its processes.</summary>
    public string Mounted(string path) => $"/proc/{_first}/root{path}";

    public string Install(params IEnumerable<string> packages) => Run(_debian.Bring(packages));

    /// <summary>Runs a shell's command in it that must succeed; returns what it printed, errors too.</summary>
    public string Run(string command)
    {
        ChildResult result = ChildProcess.Run("nsenter", Enter("/bin/sh", "-ec", command));
        Assert.True(result.ExitCode == 0, $"{command}\n{result.Output}{result.Errors}");
        return result.Output + result.Errors;
    }

    /// <summary>Starts a program in it that runs beside the test.</summary>
    public CompanionProcess Start(params string[] command) => CompanionProcess.Start("nsenter", Enter(command));

    public void Dispose()
    {
        // With it everything in the container ends, and so does what started it.
        ChildProcess.Run("kill", ["-KILL", _first]);
        _container.Dispose();
        _debian.Dispose();
    }

    /// <summary>The number of its first process on the host; empty when there is none.</summary>
    private string FindFirst() => _container.HasExited
        ? ""
        : File.ReadAllText(string.Create(
            CultureInfo.InvariantCulture, $"/proc/{_container.ProcessId}/task/{_container.ProcessId}/children")).Trim();

    private string[] Enter(params string[] command) =>
    [
        $"--target={_first}", "--mount", "--pid", "--uts", "--ipc", "--net", "--cgroup", "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME=/root", "DEBIAN_FRONTEND=noninteractive", .. command,
    ];
}
