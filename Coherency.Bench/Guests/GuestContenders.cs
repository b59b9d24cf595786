using Coherency.Bench.Contenders;
using Coherency.Guest.Daemons;
using Coherency.Guest.VirtualMachines;

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
        string cache = words[^1];
        return words[0] switch
        {
            "coherencyd" => MakeOurs(name, workFolder, cache, coherencydPath),
            "virtiofsd-rust" => new VhostUserBed(name, workFolder, RustCommand(cache), VersionOf($"{PeerDaemons.PreparedRustVirtiofsdPath} --version")),
            "virtiofsd-c" => new VhostUserBed(name, workFolder, CCommand(cache), VersionOf($"{PeerDaemons.CVirtiofsdPath} --version")),
            "9p" => new NinePBed(name, workFolder, cache, VersionOf($"{VirtualMachineImage.Bench.Qemu} --version")),
            "nfs" => new NfsBed(name, workFolder, VersionOf($"{VirtualMachineImage.Bench.NfsServer} -v")),
            _ => new DiskBed(name, workFolder, VersionOf($"{VirtualMachineImage.Bench.Qemu} --version")),
        };
    }

    /// <summary>Those of a name; a program's name without its mode stands for all its modes.</summary>
    /// <exception cref="ArgumentException">Nobody has that name.</exception>
    public static IReadOnlyList<string> Find(string name)
    {
        string[] found = [.. Names.Where(known => ContenderList.IsMeant(known, name))];
        return found.Length > 0 ? found : throw new ArgumentException($"--contenders: there is no {name}; there are {string.Join(", ", Names)}");
    }

    private static CoherencydBed MakeOurs(string name, string workFolder, string cache, string? path)
    {
        if (path is null)
            throw new FileNotFoundException("build Coherency.Daemon, or give --coherencyd PATH");
        bool isLibrary = path.EndsWith(".dll", StringComparison.Ordinal);
        string program = isLibrary ? $"dotnet \"{path}\"" : $"\"{path}\"";
        return new CoherencydBed(name, workFolder, program, cache, VersionOf(isLibrary ? $"dotnet {path} --version" : $"{path} --version"));
    }

    private static string RustCommand(string cache)
    {
        string path = PeerDaemons.PreparedRustVirtiofsdPath;
        return File.Exists(path)
            ? $"{path} --socket-path={{socket}} --shared-dir={{dir}} --cache={cache} --xattr"
            : throw new FileNotFoundException($"run eng/vm/prepare: there is no {path}");
    }

    private static string CCommand(string cache) => PeerDaemons.HasCVirtiofsd
        ? $"{PeerDaemons.CVirtiofsdPath} --socket-path={{socket}} -o source={{dir}} -o cache={cache} -o posix_lock -o flock -o xattr"
        : throw new FileNotFoundException($"install Debian 12's qemu-system-common: there is no {PeerDaemons.CVirtiofsdPath}");

    private static string VersionOf(string command) => new Contender("", "", command).ReadVersion();
}
