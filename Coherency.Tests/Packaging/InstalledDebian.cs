namespace Coherency.Tests.Packaging;

/// <summary>A Debian to install packages in, without network: what they depend on is there already.</summary>
internal sealed class InstalledDebian(string suite) : IDisposable
{
    /// <summary>Folders that apt and systemd fill by themselves, and the kernel's.</summary>
    private static readonly string[] NotOfPackages = ["/proc", "/run/systemd", "/var/cache", "/var/lib/apt", "/var/log", "/debs"];

    private readonly CopiedRoot _root = new("debian-root", [suite, .. PackagesOf(suite)]);

    public CopiedRoot Root => _root;

    /// <summary>Runs a shell's command in it that must succeed; returns what it printed, errors too.</summary>
    public string Run(string command)
    {
        ChildResult result = ChildProcess.Run("unshare", _root.Enter(
            ["/bin/sh", "-ec", command],
            "0:0",
            ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "DEBIAN_FRONTEND=noninteractive"]));
        Assert.True(result.ExitCode == 0, $"{suite}: {command}\n{result.Output}{result.Errors}");
        return result.Output + result.Errors;
    }

    /// <summary>What an administrator types to install files.</summary>
    public string Bring(params IEnumerable<string> packages)
    {
        Directory.CreateDirectory(_root.Inside("/debs"));
        string[] names = [.. packages.Select(package => $"/debs/{Path.GetFileName(package)}")];
        foreach (string package in packages)
        {
            File.Copy(package, _root.Inside($"/debs/{Path.GetFileName(package)}"), overwrite: true);
        }

        return $"apt-get install --yes --no-install-recommends {string.Join(' ', names)}";
    }

    /// <summary>All files that packages are responsible for, with where links lead.</summary>
    public string[] ListFiles() =>
        [.. Run($"find / {string.Join(" -o ", NotOfPackages.Select(folder => $"-path {folder} -prune"))} -o -printf '%p %l\\n'")
            .Split('\n').Order(StringComparer.Ordinal)];

    public void Dispose() => _root.Dispose();

    /// <summary>What packages need that are installed, systemd for its units, and who has had virtiofsd's place before.</summary>
    private static string[] PackagesOf(string suite) => suite switch
    {
        "bookworm" => ["systemd", "systemd-sysv", "libssl3", "qemu-system-common"],
        "trixie" => ["systemd", "systemd-sysv", "libssl3t64", "virtiofsd", "dkms", "linux-headers-amd64"],
        _ => ["systemd", "systemd-sysv", "libssl3t64", "virtiofsd"],
    };
}
