using Coherency.Core.Versioning;
using Coherency.Daemon.Configuration;
using Coherency.Host.Server;

namespace Coherency.Daemon.Hosting;

/// <summary>What to add to a VMM's command line so that a guest gets its share, and its version table.</summary>
internal static class VmmArguments
{
    /// <summary>
    /// Bytes of the device's configuration space, rounded up to what QEMU reads: tag and queue count (VIRTIO 1.2, 5.11.4).
    /// </summary>
    private const int ConfigBytes = 40;

    private const int VirtioIdFs = 26;

    /// <summary>One block of lines for each guest.</summary>
    public static IEnumerable<string> Describe(ServeConfiguration configuration) =>
        from share in configuration.Shares
        from guest in share.Guests
        from line in Describe(share, guest)
        select line;

    public static IEnumerable<string> Describe(ShareConfiguration share, GuestConfiguration guest)
    {
        string tag = ConfigurationFile.TagOf(share, guest);
        int queues = guest.NumRequestQueues ?? share.NumRequestQueues;
        string device = $"  -device vhost-user-fs-pci,chardev=fs-{guest.Name},tag={tag},num-request-queues={queues},queue-size=1024";
        bool isCoherent = ConfigurationFile.CacheOf(share, guest) == CacheMode.Coherent;
        yield return isCoherent
            ? $"guest {guest.Name}: add to QEMU (SIZE as in -m), then in the guest, with its module: mount -t coherency {tag} /mnt"
            : $"guest {guest.Name}: add to QEMU (SIZE as in -m), then in the guest: mount -t virtiofs {tag} /mnt";
        yield return "  -object memory-backend-memfd,id=mem,size=SIZE,share=on -machine memory-backend=mem \\";
        yield return $"  -chardev socket,id=fs-{guest.Name},path={Path.GetFullPath(guest.Socket)} \\";
        if (!isCoherent)
        {
            yield return device;
            yield return CloudHypervisor(tag, guest.Socket, queues);
            yield break;
        }

        if (share.Dax is not null)
        {
            yield return TestDevice(guest, queues);
            yield return $"  DAX window of {DaxSettings.LayoutOf(share).WindowBytes >> 20} MiB: QEMU 11.1 or later; no option is " +
                "needed in the guest";
            yield break;
        }

        long bytes = VersionTableLayout.MemoryBytes(share.TableSlots);
        yield return device + " \\";
        yield return $"  -object memory-backend-file,id=table-{guest.Name},mem-path={ConfigurationFile.TablePathOf(share, guest)}," +
                $"size={bytes},share=on,readonly=on \\";
        yield return $"  -device ivshmem-plain,memdev=table-{guest.Name}";
        yield return "  or, from QEMU 11.1 on, instead of the last three lines, with the table in the device itself:";
        yield return TestDevice(guest, queues);
        yield return CloudHypervisor(tag, guest.Socket, queues) +
            $" --ivshmem path={ConfigurationFile.TablePathOf(share, guest)},size={bytes}";
    }

    private static string TestDevice(GuestConfiguration guest, int queues) =>
        $"  -device vhost-user-test-device-pci,chardev=fs-{guest.Name},virtio-id={VirtioIdFs},num_vqs={1 + queues}," +
        $"config_size={ConfigBytes}";

    private static string CloudHypervisor(string tag, string socket, int queues) =>
        $"  or to Cloud Hypervisor: --memory size=SIZE,shared=on --fs tag={tag},socket={Path.GetFullPath(socket)},num_queues={queues}," +
        "queue_size=1024";
}
