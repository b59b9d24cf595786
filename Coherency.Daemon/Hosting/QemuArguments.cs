using Coherency.Daemon.Configuration;

namespace Coherency.Daemon.Hosting;

/// <summary>What to add to a QEMU command line so that a guest gets its share.</summary>
internal static class QemuArguments
{
    /// <summary>One block of lines for each guest.</summary>
    public static IEnumerable<string> Describe(ServeConfiguration configuration)
    {
        foreach (ShareConfiguration share in configuration.Shares)
        {
            foreach (GuestConfiguration guest in share.Guests)
            {
                string tag = ConfigurationFile.TagOf(share, guest);
                yield return $"guest {guest.Name}: add to QEMU (SIZE as in -m), then in the guest: mount -t virtiofs {tag} /mnt";
                yield return "  -object memory-backend-memfd,id=mem,size=SIZE,share=on -machine memory-backend=mem \\";
                yield return $"  -chardev socket,id=fs-{guest.Name},path={Path.GetFullPath(guest.Socket)} \\";
                yield return $"  -device vhost-user-fs-pci,chardev=fs-{guest.Name},tag={tag},num-request-queues={guest.NumRequestQueues ?? share.NumRequestQueues},queue-size=1024";
            }
        }
    }
}
