namespace Coherency.Guest.VirtualMachines;

/// <summary>A QEMU with a kernel to boot and the peer daemon of the same release, as eng/vm/prepare leaves them.</summary>
public sealed record VirtualMachineImage(string Name, string Folder)
{
    /// <summary>What this machine's Debian ships: on Debian 12, QEMU 7.2 with Linux 6.1.</summary>
    public static VirtualMachineImage Stable => Locate("stable");

    /// <summary>The kernel of Debian 13, Linux 6.12, on this machine's QEMU.</summary>
    public static VirtualMachineImage Trixie => Locate("trixie");

    /// <summary>What Debian unstable ships: QEMU 11.1 with Linux 7.2 or newer.</summary>
    public static VirtualMachineImage Sid => Locate("sid");

    /// <param name="name">stable, trixie or sid.</param>
    public static VirtualMachineImage Of(string name) => Locate(name);

    /// <summary>Debian 12 with its whole kernel, and programs to run on a disk.</summary>
    public static VirtualMachineImage Bench => Locate("bench", " --bench");

    /// <summary>Debian's user space with programs that watch files, for guests of all kernels.</summary>
    public static string ProgramsRoot
    {
        get
        {
            string folder = Path.Combine(CacheFolder, "programs");
            return File.Exists(Path.Combine(folder, "complete"))
                ? Path.Combine(folder, "root")
                : throw new VirtualMachineException($"run eng/vm/prepare --programs: there is no {folder}");
        }
    }

    public string Qemu { get; init; } = Path.Combine(Folder, "qemu");

    public string Kernel => Path.Combine(Folder, "kernel");

    public string Initramfs => Path.Combine(Folder, "initramfs");

    /// <summary>eng/vm/guest-calls.c, for the host; the initramfs has it too.</summary>
    public string GuestCalls => Path.Combine(Folder, "guest-calls");

    public string Virtiofsd => Path.Combine(Folder, "virtiofsd");

    /// <summary>A root file system to boot from; only <see cref="Bench"/> has one.</summary>
    public string Disk => Path.Combine(Folder, "disk");

    /// <summary>An NFS server for the host; only <see cref="Bench"/> has one.</summary>
    public string NfsServer => Path.Combine(Folder, "ganesha");

    private static VirtualMachineImage Locate(string name, string option = "")
    {
        VirtualMachineImage image = new(name, Path.Combine(CacheFolder, name));
        // prepare writes the initramfs last, so its presence says that the rest is complete.
        if (!File.Exists(image.Initramfs))
            throw new VirtualMachineException($"run eng/vm/prepare{option}: there is no {image.Initramfs}");
        return image;
    }

    private static string CacheFolder =>
        NonEmptyVariable("COHERENCY_VM_CACHE") ?? Path.Combine(UserCacheFolder, "coherency", "vm");

    private static string UserCacheFolder =>
        NonEmptyVariable("XDG_CACHE_HOME")
        ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache");

    private static string? NonEmptyVariable(string name) =>
        Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;
}
