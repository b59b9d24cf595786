namespace Coherency.Bench.Guests;

/// <summary>Everybody that shares a directory with a guest, by name.</summary>
internal static class GuestContenders
{
    private static readonly string[] CoherencydCaches = ["coherent", "auto", "always", "never"];
    private static readonly string[] RustCaches = ["auto", "always", "never", "metadata"];
    private static readonly string[] CCaches = ["auto", "always", "none"];
    private static readonly string[] NinePCaches = ["none", "mmap", "loose"];

    /// <summary>All names, ours first.</summary>
    public static IReadOnlyList<string> Names { get; } =
    [
        .. CoherencydCaches.Select(cache => $"coherencyd {cache}"),
        .. RustCaches.Select(cache => $"virtiofsd-rust {cache}"),
        .. CCaches.Select(cache => $"virtiofsd-c {cache}"),
        .. NinePCaches.Select(cache => $"9p {cache}"),
        "nfs",
        "ext4",
    ];

    /// <summary>Makes a contender by its name; nothing is started yet.</summary>
    /// <param name="coherencydPath">coherencyd.dll or a published coherencyd, if there is one.</param>
    /// <exception cref="IOException">It is not on this machine; the message says what to do.</exception>
    public static GuestBed Make(string name, string workFolder, string? coherencydPath)
    {
        string[] words = name.Split(' ');
        switch (words[0])
        {
            case "coherencyd":
                return new CoherencydBed(name, workFolder, ContenderList.Make(name, coherencydPath));
            case "virtiofsd-rust" or "virtiofsd-c":
                return new VhostUserBed(name, workFolder, ContenderList.Make(name, coherencydPath));
            case "9p":
                return new NinePBed(name, workFolder, words[1], VersionOf($"{VirtualMachineImage.Bench.Qemu} --version"));
            case "nfs":
                return new NfsBed(name, workFolder, VersionOf($"{VirtualMachineImage.Bench.NfsServer} -v"));
            default:
                return new DiskBed(name, workFolder, VersionOf($"{VirtualMachineImage.Bench.Qemu} --version"));
        }
    }

    /// <summary>Those of a name; a program's name without its mode stands for all its modes.</summary>
    /// <exception cref="ArgumentException">Nobody has that name.</exception>
    public static IReadOnlyList<string> Find(string name)
    {
        string[] found = [.. Names.Where(known => ContenderNames.IsMeant(known, name))];
        return found.Length > 0 ? found : throw new ArgumentException(
            $"--contenders: there is no {name}; there are {string.Join(", ", Names)}");
    }

    private static string VersionOf(string command) => new Contender("", "", command).ReadVersion();
}
