namespace Coherency.Guest.Processes;

/// <summary>Where the daemons of others are, and how they are started with the meaning of our <c>--cache auto</c>.</summary>
public static class PeerDaemons
{
    /// <summary>The C virtiofsd of Debian's qemu-system-common 7.2.</summary>
    public const string CVirtiofsdPath = "/usr/lib/qemu/virtiofsd";

    /// <summary>With locks and xattrs, which it leaves out by default and ours has; it needs root.</summary>
    public static string CVirtiofsdCommand(string cache = "auto") =>
        $"{CVirtiofsdPath} --socket-path={{socket}} -o source={{dir}} -o cache={cache} -o posix_lock -o flock -o xattr";

    /// <summary>The Rust virtiofsd at a path; it has no locks between guests (SETLK answers ENOSYS).</summary>
    public static string RustVirtiofsdCommand(string path, string cache = "auto") =>
        $"{path} --socket-path={{socket}} --shared-dir={{dir}} --cache={cache} --xattr";

    /// <summary>Rust virtiofsd where eng/vm/prepare puts the one of Debian sid, whether it is there or not.</summary>
    public static string PreparedRustVirtiofsdPath => Path.Combine(
        Environment.GetEnvironmentVariable("COHERENCY_VM_CACHE") ?? Path.Combine(CacheHome, "coherency", "vm"), "sid", "virtiofsd");

    public static bool HasCVirtiofsd => File.Exists(CVirtiofsdPath);

    private static string CacheHome =>
        Environment.GetEnvironmentVariable("XDG_CACHE_HOME")
        ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache");
}
