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

    /// <summary>Capabilities that the server has to do without. What it has is enough, so one that is added changes nothing.</summary>
    /// <exception cref="RefusedException">It is no such list, or takes what is needed.</exception>
    public static IReadOnlyList<int> Dropped(string? modcaps, string inodeFileHandles)
    {
        List<int> dropped = [];
        foreach (string change in modcaps?.Split(':') ?? [])
        {
            int capability = change.Length > 1 && change[0] is '+' or '-' ? Array.IndexOf(Names, change[1..].ToLowerInvariant()) : -1;
            if (capability < 0)
            {
                throw new RefusedException(
                    RefusedException.Failed, $"--modcaps {modcaps}: '{change}' is not + or - and the name of a capability");
            }

            if (change[0] == '-')
            {
                dropped.Add(capability);
            }
        }

        return dropped.Contains(ProcessFlags.CAP_DAC_READ_SEARCH) && inodeFileHandles != "never"
            ? throw new RefusedException(
                RefusedException.Failed,
                $"--modcaps=-dac_read_search is not possible with --inode-file-handles={inodeFileHandles}: file handles need it")
            : dropped;
    }
}
