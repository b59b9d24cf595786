using Coherency.Core.Linux;

namespace Coherency.Keeper.Options;

/// <summary>What <c>--modcaps</c> says.</summary>
internal static class CapabilityChanges
{
    /// <summary>By number, as capabilities(7) has them.</summary>
    private static readonly string[] Names =
    [
        "chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap", "linux_immutable",
        "net_bind_service", "net_broadcast", "net_admin", "net_raw", "ipc_lock", "ipc_owner", "sys_module", "sys_rawio", "sys_chroot",
        "sys_ptrace", "sys_pacct", "sys_admin", "sys_boot", "sys_nice", "sys_resource", "sys_time", "sys_tty_config", "mknod", "lease",
        "audit_write", "audit_control", "setfcap", "mac_override", "mac_admin", "syslog", "wake_alarm", "block_suspend", "audit_read",
        "perfmon", "bpf", "checkpoint_restore",
    ];

    /// <summary>virtiofsd's: what carrying requests out needs. Handles need one more.</summary>
    private static readonly string[] Standard =
        ["chown", "dac_override", "fowner", "fsetid", "setgid", "setuid", "mknod", "setfcap"];

    /// <summary>
    /// Capabilities that a server without a sandbox has to do without. What it has is enough, so that adding one changes nothing.
    /// </summary>
    /// <exception cref="RefusedException">It is no such list, or takes what is needed.</exception>
    public static IReadOnlyList<int> Dropped(string? modcaps, string inodeFileHandles)
    {
        List<int> dropped = [.. Parse(modcaps).Where(change => !change.IsAdded).Select(change => change.Capability)];
        return dropped.Contains(ProcessFlags.CAP_DAC_READ_SEARCH) && inodeFileHandles != "never"
            ? throw new RefusedException(
                RefusedException.Failed,
                $"--modcaps=-dac_read_search is not possible with --inode-file-handles={inodeFileHandles}: file handles need it")
            : dropped;
    }

    /// <summary>All that a server in a sandbox has, as capabilities(7) spells them.</summary>
    public static IEnumerable<string> Kept(string? modcaps, string inodeFileHandles)
    {
        HashSet<int> kept = [.. Standard.Select(name => Array.IndexOf(Names, name))];
        if (inodeFileHandles != "never")
        {
            kept.Add(ProcessFlags.CAP_DAC_READ_SEARCH);
        }

        foreach ((int capability, bool isAdded) in Parse(modcaps))
        {
            _ = isAdded ? kept.Add(capability) : kept.Remove(capability);
        }

        return kept.Order().Select(capability => $"CAP_{Names[capability].ToUpperInvariant()}");
    }

    private static List<(int Capability, bool IsAdded)> Parse(string? modcaps)
    {
        List<(int, bool)> changes = [];
        foreach (string change in modcaps?.Split(':') ?? [])
        {
            int capability = change.Length > 1 && change[0] is '+' or '-' ? Array.IndexOf(Names, change[1..].ToLowerInvariant()) : -1;
            if (capability < 0)
            {
                throw new RefusedException(
                    RefusedException.Failed, $"--modcaps {modcaps}: '{change}' is not + or - and the name of a capability");
            }

            changes.Add((capability, change[0] == '+'));
        }

        return changes;
    }
}
